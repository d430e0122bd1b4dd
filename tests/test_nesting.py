"""What nests without end is refused before any parser reaches the interpreter's limit, at any
depth of the caller's own stack, and the process is sound afterwards."""

from __future__ import annotations

import ast
import gc
import inspect
import json
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pixel_core.config.profile import load_profile
from pixel_core.data.annotation.answers import Words, read_answer
from pixel_core.data.annotation.batch.collect import read_results
from pixel_core.data.annotation.outcome import Unusable
from pixel_core.data.exchange.portable import Rejected, unpack
from pixel_core.data.exchange.record_lines import read_records
from pixel_core.data.faults import Problems, quote
from pixel_core.data.sources.manifest.rows import read_rows
from pixel_core.data.sources.original import sft_fields
from pixel_core.data.sources.pages.rendering import html_of
from pixel_core.dev.annotator.script import read_script
from pixel_core.errors import PixelError
from pixel_core.evaluation.benchmarks.original import item_of
from pixel_core.evaluation.benchmarks.tables import json_lines, json_list
from pixel_core.garbage import garbage_kept
from pixel_core.models.endpoint.completion import Reply, read_reply
from pixel_core.models.vllm_inputs import check_folder
from pixel_core.nesting import (
    MAX_DEPTH,
    TooDeep,
    check_json_depth,
    is_deeper,
    json_depth,
    loads,
    toml_loads,
)
from pixel_core.rollout.call_syntax import decode
from pixel_core.rollout.tool_calls import CallError
from pixel_core.serving.demo.middleware import Uploads
from pixel_core.serving.http.errors import Refusal
from pixel_core.serving.http.json_body import parse

#: All that an entry point may end with: an error of its own.
ERRORS = (PixelError, CallError, Unusable, Rejected, Refusal, TooDeep)


def in_file(name: str, read: Callable[[Path], Any]) -> Callable[[str, Path], Any]:
    def act(text: str, folder: Path) -> Any:
        path = folder / name
        path.write_text(text, encoding="utf-8")
        return read(path)

    return act


def row(text: str, problems: Problems) -> Any:
    fields = {"question": "q", "answer": text, "image": "a.png", "qid": "1", "is_video": None}
    return item_of("row 1", 1, fields, problems)


def shortened(line: str) -> str:
    return line[:300]


def problems() -> Problems:
    return Problems("a test")


#: Everything that reads what others wrote, by the text it is given.
ENTRIES: dict[str, Callable[[str, Path], Any]] = {
    "tool call": lambda text, _: decode(text[:1000]),
    "annotator's answer": lambda text, _: read_answer(Reply(text, ""), Words),
    "batch results": lambda text, _: list(read_results([text.encode()])),
    "chat completion": lambda text, _: read_reply(text.encode()),
    "request": lambda text, _: parse(text.encode()),
    "upload": lambda text, folder: Uploads(folder).named_alone(text.encode()),
    "packed trajectory": lambda text, _: unpack(text, []),
    "records": in_file("a.jsonl", lambda path: list(read_records(path))),
    "list of records": in_file("a.json", lambda path: list(read_records(path))),
    "manifest": in_file("m.jsonl", lambda path: list(read_rows(path, problems()))),
    "original's records": lambda text, _: sft_fields("1", {"message_list": text}, problems()),
    "benchmark's lines": in_file("b.jsonl", lambda path: list(json_lines(path, problems()))),
    "benchmark's list": in_file("b.json", lambda path: list(json_list(path, problems()))),
    "benchmark's answer": lambda text, _: row(text[:4000], problems()),
    "model folder": in_file("config.json", lambda path: check_folder(path.parent)),
    "annotator's script": in_file("s.json", read_script),
    "script in TOML": in_file("s.toml", read_script),
    "override": lambda text, _: load_profile("tiny", [f"sft.steps={text}"]),
    "profile": in_file("p.toml", lambda path: load_profile(str(path))),
    # Its parser's time grows with the square of the brackets in a paragraph.
    "Markdown page": lambda text, _: html_of("\n".join(map(shortened, text.splitlines()))),
}

N = 20_000
DEEP = {
    "lists": "[" * N + "]" * N,
    "open lists": "[" * N,
    "objects": '{"a":' * N + "1" + "}" * N,
    "in a string's wake": '["\\\\", ' * N + "1" + "]" * N,
    "in a list": "[[1, " + "[" * N + "]" * N + "]]",
    "in a field": '{"message_list": ' + "[" * N + "]" * N + "}",
    "TOML": "a = " + "[" * N + "]" * N,
    "tables of TOML": "a = " + "{a=" * N + "1" + "}" * N,
    "signs": "[" + "-" * 3990 + "1]",
    "sums": "[" + "1+" * 1900 + "1]",
    "parts": "[a" + ".a" * 1900 + "]",
    "quotations": "> " * N + "x",
    "lists of Markdown": "\n".join("    " * level + "- x" for level in range(300)),
    "just under": "[" * 99 + "]" * 99,
}


@contextmanager
def recursion_errors() -> Iterator[list[str]]:
    """Those that pass through any Python frame, whoever swallows them."""
    seen: list[str] = []

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "exception" and issubclass(argument[0], RecursionError):
            seen.append(frame.f_code.co_qualname)
        frame.f_trace_lines = False
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield seen
    finally:
        sys.settrace(before)


def from_depth(depth: int, act: Callable[[], Any]) -> Any:
    return from_depth(depth - 1, act) if depth else act()


def outcome(entry: str, text: str, folder: Path) -> str:
    try:
        value = ENTRIES[entry](text, folder)
    except ERRORS as error:
        return f"{type(error).__name__}: {error}"
    return repr(type(value))


def test_a_swallowed_recursion_error_is_seen() -> None:
    with recursion_errors() as seen, suppress(RecursionError):
        json.loads(DEEP["lists"])
    assert seen


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("entry", ENTRIES)
def test_no_parser_reaches_the_limit(entry: str, kind: str, tmp_path: Path) -> None:
    with recursion_errors() as seen:
        near = outcome(entry, DEEP[kind], tmp_path)
    assert not seen
    if entry != "Markdown page" or "Error" in near:
        # With half of the stack in use already, no other verdict.
        assert from_depth(400, lambda: outcome(entry, DEEP[kind], tmp_path)) == near
    with garbage_kept():  # a collection amid it may parse too, in tests before this one
        ast.parse(inspect.getsource(subprocess))


values = st.recursive(
    st.none() | st.integers() | st.text(alphabet='[]{}"\\,: aé\U0001f600'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(values, st.booleans(), st.integers(0, 6))
def test_the_depth_is_that_of_the_value(value: Any, ascii: bool, allowed: int) -> None:
    text = json.dumps(value, ensure_ascii=ascii)
    depth = depth_of(value)
    assert json_depth(text) == depth
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32-le"):
        assert json_depth(text.encode(encoding)) == depth
    assert is_deeper(value, allowed) == (depth > allowed)
    if depth > allowed:
        with pytest.raises(TooDeep, match=f"nests {depth} levels deep, allowed are {allowed}"):
            check_json_depth(text, allowed)
    else:
        assert loads(text, allowed=allowed) == value


@given(st.text(alphabet='[]{}"\\,:1 \n\0\ud800', max_size=60))
@example('\0"' + "[" * 5 + "]" * 200)
@example("[\0" * 99)
def test_any_text_is_read_as_json_reads_it(text: str) -> None:
    """Or refused as JSON refuses it: a bound of the depth changes nothing else."""
    assert read(loads, text) == read(json.loads, text)


def read(loads: Callable[[str], Any], text: str) -> tuple[Any, str]:
    try:
        return loads(text), ""
    except ValueError as error:
        return None, str(error)


def test_what_a_value_shares_is_looked_at_once() -> None:
    value: list[Any] = []
    for _ in range(60):
        value = [value, value]
    assert not is_deeper(value)
    value.append(value)
    assert is_deeper(value)
    assert quote(value) == "a list nested too deeply to be shown"


def test_the_bound_itself_is_allowed() -> None:
    assert loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert toml_loads("a = " + "[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None
    with pytest.raises(ValueError, match="nests 101 levels"):
        toml_loads(f"a.{'a.' * 50}a = " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    with pytest.raises(TooDeep):
        toml_loads("a" + ".a" * (MAX_DEPTH + 1) + "=1")


class Last:
    """Formats a traceback at its end, as a logger does: 3.11 parses for its carets."""

    def __init__(self) -> None:
        self.ring = self

    def __del__(self) -> None:
        try:
            raise KeyError
        except KeyError:
            traceback.format_exc()


def parsed_amid_garbage(around: AbstractContextManager[None]) -> None:
    source = inspect.getsource(inspect)
    gc.collect()
    with around:
        for _ in range(50):
            Last()
        ast.parse(source)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="3.13 counts each parse on its own")
def test_the_fault_of_parses_amid_one_another_is_there() -> None:
    """Else what is done against it can go."""
    with pytest.raises(SystemError, match="recursion depth mismatch"):
        parsed_amid_garbage(nullcontext())


def test_while_no_garbage_is_collected_no_parse_is_amid_another() -> None:
    assert gc.isenabled()
    with garbage_kept():
        parsed_amid_garbage(garbage_kept())
        assert not gc.isenabled()
    assert gc.isenabled()
    parsed_amid_garbage(garbage_kept())
