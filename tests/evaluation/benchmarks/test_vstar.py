"""V* in its authors' own files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from preparing import prepared
from published_files import write_vstar

from pixel_core.errors import DataError
from pixel_core.records import Split


def test_the_whole_benchmark(tmp_path: Path) -> None:
    local = write_vstar(tmp_path / "vstar")
    made = prepared(tmp_path / "out", "vstar", local=str(local))
    assert Counter(seed.kind for seed in made.seeds) == {
        "direct_attributes": 115,
        "relative_position": 76,
    }
    assert {seed.split for seed in made.seeds} == {Split.TEST}
    seed = made.seeds[1]
    assert seed.question == "What is it in 1?"
    assert seed.choices == ("rubber", "cotton", "kevlar", "leather")
    assert seed.answers == ("cotton",)
    assert made.pictures().load(seed.pictures[0]).size == (48, 32)
    assert made.facts.complete
    assert made.facts.missing == ()
    assert made.facts.kinds["relative_position"].published == 76
    # From the labels, 115 turns through four options and 76 through two.
    assert made.facts.keys is not None
    assert made.facts.keys.put == {"A": 29 + 38, "B": 29 + 38, "C": 29, "D": 28}
    assert made.facts.pictures == len({seed.pictures[0].member for seed in made.seeds})


def test_a_shuffle_moves_the_key_and_nothing_else(tmp_path: Path) -> None:
    def all_first(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["label"] = "A"

    local = str(write_vstar(tmp_path / "vstar", all_first))
    plain = prepared(tmp_path / "plain", "vstar", local=local)
    mixed = prepared(tmp_path / "mixed", "vstar", local=local, shuffle_seed=3)
    assert plain.facts.keys is not None
    assert mixed.facts.keys is not None
    assert plain.facts.keys.put["A"] == 191
    assert mixed.facts.keys.published == plain.facts.keys.published
    assert all(count > 10 for count in mixed.facts.keys.put.values())
    for before, after in zip(plain.seeds, mixed.seeds, strict=True):
        assert sorted(before.choices) == sorted(after.choices)
        assert before.answers == after.answers
    fewer = prepared(tmp_path / "fewer", "vstar", local=local, shuffle_seed=3, limit=20)
    kept = [seed for seed in mixed.seeds if seed in fewer.seeds]
    assert fewer.seeds == kept  # an option's place does not hang on how many are asked
    other = prepared(tmp_path / "other", "vstar", local=local, shuffle_seed=4)
    assert other.seeds != mixed.seeds


def test_a_limit_needs_only_its_own_pictures(tmp_path: Path) -> None:
    local = write_vstar(tmp_path / "vstar")
    (local / "relative_position" / "sa_4.jpg").unlink()
    made = prepared(tmp_path / "out", "vstar", local=str(local), limit=10)
    assert {kind: count.used for kind, count in made.facts.kinds.items()} == {
        "direct_attributes": 6,
        "relative_position": 4,
    }
    assert made.facts.used == 10
    assert made.facts.found == 191
    assert made.facts.limit == 10
    assert made.facts.complete


def _spoil(rows: list[dict[str, Any]]) -> None:
    rows[0]["label"] = "E"
    rows[1]["text"] = "What is it?"
    rows[2]["category"] = "OCR"
    rows[3]["image"] = "../../etc/passwd"
    rows[4]["question_id"] = rows[5]["question_id"]
    del rows[6]["label"]
    rows[7]["image"] = "direct_attributes/gone.jpg"
    rows[8]["text"] = "  \n(A) a\n(B) b"
    rows[8]["label"] = "B"


def test_every_fault_is_told_with_its_place(tmp_path: Path) -> None:
    local = write_vstar(tmp_path / "vstar", _spoil)
    with (local / "test_questions.jsonl").open("a") as lines:
        lines.write('{"cut": \n[1]\n')
    with pytest.raises(DataError) as told:
        prepared(tmp_path / "out", "vstar", local=str(local))
    text = str(told.value)
    for line, words in (
        (1, "'label'"),
        (2, "no options"),
        (3, "OCR"),
        (4, "not a relative path"),
        (6, "was used at test_questions.jsonl, line 5"),
        (7, "is missing"),
        (8, "gone.jpg"),
        (9, "'text'"),
        (192, "not valid JSON"),
        (193, "not a JSON object"),
    ):
        (found,) = [
            row
            for row in text.splitlines()
            if f"test_questions.jsonl, line {line}," in row
            or f"test_questions.jsonl, line {line}:" in row
        ]
        assert words in found
    assert "benchmarks.vstar.incomplete" in text
    assert "published are 115" in text


def test_an_incomplete_copy_says_so(tmp_path: Path) -> None:
    local = write_vstar(tmp_path / "vstar", _spoil)
    made = prepared(tmp_path / "out", "vstar", local=str(local), incomplete=True)
    assert not made.facts.complete
    assert made.facts.used == len(made.seeds) == 183
    assert made.facts.faults["picture"] == 2
    assert any("published are 115" in line for line in made.facts.missing)
    assert any("gone.jpg" in note for note in made.notes)
    # Nothing of this machine stands in what is kept.
    assert str(tmp_path) not in (made.out / "benchmark.json").read_text()


@pytest.mark.parametrize(
    "data",
    [b"", b"no picture at all", b"\xff\xd8\xff\xe0" + b"\0" * 200],
    ids=["empty", "text", "cut"],
)
def test_damaged_pictures_are_told_all_at_once(tmp_path: Path, data: bytes) -> None:
    local = write_vstar(tmp_path / "vstar")
    for number in (3, 9):
        (local / "direct_attributes" / f"sa_{number}.jpg").write_bytes(data)
    with pytest.raises(DataError) as told:
        prepared(tmp_path / "out", "vstar", local=str(local))
    assert "sa_3.jpg" in str(told.value)
    assert "sa_9.jpg" in str(told.value)
    assert not (tmp_path / "out" / "pictures.zip").exists()
    made = prepared(tmp_path / "again", "vstar", local=str(local), incomplete=True)
    assert made.facts.used == 191 - 4
    assert made.facts.faults == {"picture": 4}


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    local = write_vstar(tmp_path / "vstar")
    secret = tmp_path / "secret.jpg"
    secret.write_bytes((local / "direct_attributes" / "sa_0.jpg").read_bytes())
    link = local / "direct_attributes" / "sa_0.jpg"
    link.unlink()
    link.symlink_to(secret)
    with pytest.raises(DataError, match="through a link"):
        prepared(tmp_path / "out", "vstar", local=str(local))


def test_no_copy_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test_questions\.jsonl"):
        prepared(tmp_path / "out", "vstar", local=str(tmp_path))
    with pytest.raises(DataError, match=r"benchmarks\.vstar\.local"):
        prepared(tmp_path / "more", "vstar", local=str(tmp_path / "nowhere"))
