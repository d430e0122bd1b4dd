r"""An answer comes out of the ``\boxed{}`` that a dataset wrote it in, the same everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixel_core.config import IngestConfig, ManifestConfig, PipelineConfig
from pixel_core.data.sources import ingest
from pixel_core.errors import DataError
from pixel_core.records import Seed, read_jsonl
from pixel_core.rewards.boxed_answers import listed_answers, unboxed
from pixel_core.workflow.stage import SilentProgress, StageContext


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("B", "B"),
        (r"\boxed{B}", "B"),
        (r" \boxed {B} ", "B"),
        (r"\fbox{B}", "B"),
        (r"\boxed B", "B"),
        (r"$\boxed 5$.", "5"),
        (r"\boxed 3.5", "3.5"),
        (r"$\boxed{B}$", "B"),
        (r"\(\boxed{B}\).", "B"),
        (r"\[ \boxed{\text{B}} \]", r"\text{B}"),
        (r"\boxed{\boxed{B}}", "B"),
        (r"\boxed{{B}}", "B"),
        (r"\boxed{{a}{b}}", "{a}{b}"),
        (r"\boxed{\frac{3}{4}}", r"\frac{3}{4}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"So it is \boxed{B}.", "B"),
        (r"\boxed{B}, that is \boxed{B}", "B"),
        (r"\boxed{A} or \boxed{B}", r"\boxed{A} or \boxed{B}"),
        (r"It is \boxed{B", r"It is \boxed{B"),
        (r"\boxed{A} and \boxed{", r"\boxed{A} and \boxed{"),
        (r"\boxed{}", ""),
        (r"\boxedB", r"\boxedB"),
        (r"\text{B}", r"\text{B}"),
        ("", ""),
    ],
)
def test_the_table_of_boxes(written: str, answer: str) -> None:
    assert unboxed(written) == answer


#: What a balanced answer is made of.
pieces = st.sampled_from(["a", "7", " ", "{b}", r"\frac{1}{2}", r"\{", r"\}", "$", "(C)", "."])
answers = st.lists(pieces, min_size=1, max_size=6).map("".join).map(str.strip).filter(bool)
wraps = st.sampled_from(
    ["\\boxed{%s}", "\\boxed {%s}", "\\fbox{ %s }", "$\\boxed{%s}$", "It is \\boxed{%s}."]
)


@given(answers, st.lists(wraps, max_size=3))
def test_however_often_it_is_wrapped_the_answer_comes_back(text: str, wrapped: Any) -> None:
    written = text
    for wrap in wrapped:
        written = wrap.replace("%s", written)
    expected = unboxed(f"\\boxed{{{text}}}") if wrapped else text
    assert unboxed(written) == expected
    assert unboxed(expected) == expected


@given(st.text(st.sampled_from("\\boxedfb{}$ a"), max_size=60))
def test_anything_is_read_and_what_was_read_stays(text: str) -> None:
    assert unboxed(unboxed(text)) == unboxed(text)


def test_a_long_torn_text_is_read_at_once() -> None:
    text = "\\boxed{" * 20_000
    assert unboxed(text) == text


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (r"\boxed{B}", ["B"]),
        ([r"\boxed{B}", "blue"], ["B", "blue"]),
        (r"\boxed{['60%', 60]}", ["60%", "60"]),
        (7, ["7"]),
        ([7.5], ["7.5"]),
        (True, None),
        ({"a": 1}, None),
        (None, None),
    ],
)
def test_the_originals_answers(value: Any, read: list[str] | None) -> None:
    assert listed_answers(value) == read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    return tmp_path


def seeds(folder: Path, record: dict[str, Any], format: str = "plain") -> list[Seed]:
    path = folder / "m.jsonl"
    path.write_text(json.dumps(record) + "\n")
    section = ManifestConfig.model_validate({"path": str(path), "format": format})
    config = PipelineConfig(ingest=IngestConfig(sources=("manifest",), manifest=section))
    out = folder / "out"
    out.mkdir()
    ingest.run(StageContext(config, {}, out, None, SilentProgress()))
    return list(read_jsonl(out / "seeds.jsonl", Seed))


@pytest.mark.parametrize("answer", [r"\boxed{B}", [r"\boxed {B}"], r"$\fbox{B}$", "B"])
def test_rl_records_with_and_without_a_box(folder: Path, answer: Any) -> None:
    record = {
        "question": "Which?\n(A) red\n(B) blue",
        "image": ["a.png"],
        "answer": answer,
        "is_video": False,
        "qid": "SA1B-1",
    }
    assert seeds(folder, record, "pixel_reasoner_rl")[0].answers == ("B",)


@pytest.mark.parametrize("answer", [r"\boxed{b}", r"\boxed{blue}", "blue"])
def test_a_manifests_box_holds_a_letter_or_a_text(folder: Path, answer: str) -> None:
    record = {"question": "Which?", "image": "a.png", "answer": answer}
    assert seeds(folder, {**record, "choices": ["red", "blue"]})[0].answers == ("blue",)


@pytest.mark.parametrize("answer", [r"\boxed{A} or \fbox{B}", r"\boxed{B", r"\boxed{}"])
def test_a_box_that_says_nothing_is_refused_with_its_place(folder: Path, answer: str) -> None:
    with pytest.raises(DataError, match=r"m.jsonl, line 1, field 'answer'"):
        seeds(folder, {"question": "Which?", "image": "a.png", "answer": answer})
