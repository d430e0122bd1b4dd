"""Records as JSON: whatever the texts hold, they read back as they were written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.data.exchange import records_chat, records_original
from pixel_core.data.exchange.portable import (
    Files,
    ImportRefusal,
    PortableMessage,
    PortableRecord,
    Rejected,
    pack,
    unpack,
)
from pixel_core.data.exchange.record_lines import Unreadable, read_records
from pixel_core.errors import DataError
from pixel_core.records import (
    Picture,
    Provenance,
    Seed,
    Split,
    Trajectory,
    TrajectoryKind,
    Turn,
)

#: Texts that trainers' tags, and our way to keep them apart, appear in.
tags = ["<image>", "<video>", "<\u200bimage>", "<\u200b\u200baudio>", "<ima", "ge>"]
odd = ["<|im_end|>", "\u2028", "\x85", "\x00", "\n", '"', "\\", "\U0001f600", "e\u0301", "{}"]
texts = st.lists(st.sampled_from([*tags, *odd]), min_size=1, max_size=6).map("".join)
pictures = st.sampled_from(["a.png", "pictures/ab/b.jpg", "<image>"]).map(lambda p: Files((p,)))


@st.composite
def messages(draw: st.DrawFn) -> PortableMessage:
    """As ours are: no empty text, and no two side by side."""
    parts: list[str | Files] = []
    for part in draw(st.lists(st.one_of(texts, pictures), max_size=5)):
        if part and not (parts and isinstance(part, str) and isinstance(parts[-1], str)):
            parts.append(part)
    return PortableMessage(draw(st.sampled_from(["system", "user", "assistant"])), tuple(parts))


records = st.builds(
    PortableRecord, st.lists(messages(), max_size=5).map(tuple), st.just('{"version": 1}')
)


@settings(max_examples=60)
@given(records)
@pytest.mark.parametrize("format", [records_original, records_chat])
def test_a_record_reads_back_as_it_was(format: Any, record: PortableRecord) -> None:
    values = json.loads(json.dumps(format.dump(record)))
    assert format.load(values) == record
    if format is records_chat:
        shown = "\n".join(message["content"] for message in values["messages"])
        # What a trainer counts: a tag for each picture, and no other media's.
        assert shown.count("<image>") == len(values["images"])
        assert "<video>" not in shown


def test_a_video_is_one_part_of_the_originals_record() -> None:
    frames = Files(("a.jpg", "b.jpg"), video=True)
    record = PortableRecord((PortableMessage("user", (frames, "what happens?")),))
    values = records_original.dump(record)
    assert values["message_list"] == [
        {"role": "user", "content": [{"video": ["a.jpg", "b.jpg"]}, {"text": "what happens?"}]}
    ]
    assert records_original.load(values) == record
    # A table's rows have every field, most of them null.
    sparse = {"text": None, "image": None, "video": ["a.jpg", "b.jpg"], "type": "video"}
    values["message_list"][0]["content"][0] = sparse
    assert records_original.load(values).messages == record.messages


SEED = Seed(
    id="s",
    split=Split.TRAIN,
    question="which?",
    answers=("7",),
    pictures=(Picture(member="a.png", width=9, height=9, sha256="0" * 64),),
    provenance=Provenance(source="test"),
)


@settings(max_examples=60)
@given(st.lists(texts, min_size=1, max_size=4), st.data())
def test_what_the_messages_lack_travels_beside_them(
    said: list[str], data: st.DataObject
) -> None:
    turns = []
    for text in said:
        stop = data.draw(st.integers(0, len(text)))
        turns.append(Turn(text=text, untrained=((0, stop),) if stop else ()))
    kind = data.draw(st.sampled_from(TrajectoryKind))
    trajectory = Trajectory(id="t", seed_id="s", kind=kind, turns=tuple(turns))
    assert unpack(pack(trajectory, SEED), said) == (trajectory, SEED)


@pytest.mark.parametrize(
    ("format", "values", "reason"),
    [
        (records_original, [], ImportRefusal.NOT_A_RECORD),
        (records_original, {"message_list": [{"role": 1}]}, ImportRefusal.NOT_A_RECORD),
        (
            records_original,
            {"message_list": [{"role": "user", "content": [{"text": "a", "image": "b"}]}]},
            ImportRefusal.NOT_A_RECORD,
        ),
        (
            records_original,
            {"message_list": [], "pixel_reasoner": 7},
            ImportRefusal.EXTRA_DIFFERS,
        ),
        (
            records_chat,
            {"messages": [{"role": "user", "content": ["x"]}]},
            ImportRefusal.NOT_A_RECORD,
        ),
        (records_chat, {"messages": [], "images": ["a.png"]}, ImportRefusal.PICTURE_COUNT),
        (
            records_chat,
            {"messages": [{"role": "user", "content": "<image><image>"}], "images": ["a.png"]},
            ImportRefusal.PICTURE_COUNT,
        ),
    ],
)
def test_what_is_no_record_is_rejected_by_name(
    format: Any, values: Any, reason: ImportRefusal
) -> None:
    with pytest.raises(Rejected) as caught:
        format.load(values)
    assert caught.value.reason is reason


RECORDS: list[Any] = [{"a": '[1, {"b": "]"}]' * 5000}, {"b": [1.5, None]}, 12, "x,y"]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_is_read_member_by_member(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "records.json"
    path.write_text(json.dumps(RECORDS * 3, indent=indent))
    assert list(read_records(path)) == RECORDS * 3
    path.write_text(json.dumps(RECORDS)[:-1])
    with pytest.raises(DataError, match="ends inside its list"):
        list(read_records(path))
    path.write_text('[{"a": 1}, {"b": ')
    read = read_records(path)
    assert next(read) == {"a": 1}
    with pytest.raises(DataError, match="is not a JSON list"):
        next(read)
    path.write_text("{}")
    with pytest.raises(DataError, match="is not a JSON list of records"):
        list(read_records(path))


def test_tables_and_lines_are_read_too(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = [{"message_list": [{"role": "user", "content": "hi"}]}] * 3
    table = tmp_path / "records.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), table)
    assert list(read_records(table)) == rows
    lines = tmp_path / "records.jsonl"
    lines.write_bytes(b'{"a": 1}\n\n{"a": \n\xff\n[2]')
    first, torn, bad, last = read_records(lines)
    assert (first, last) == ({"a": 1}, [2])
    assert isinstance(torn, Unreadable)
    assert isinstance(bad, Unreadable)
    with pytest.raises(DataError, match=r"name it \.jsonl, \.json or \.parquet"):
        list(read_records(lines.rename(tmp_path / "records.txt")))
