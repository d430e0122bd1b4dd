"""HR-Bench asks each question four times, its right option in each place once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from preparing import config_of, prepared
from published_files import write_hrbench

from pixel_core.errors import ConfigError, DataError
from pixel_core.evaluation.benchmarks.prepare import fingerprint

Rows = list[dict[str, Any]]


def refusal(tmp_path: Path, change: Callable[[Rows], None]) -> str:
    local = str(write_hrbench(tmp_path / "hrbench", "4k", change))
    with pytest.raises(DataError) as told:
        fingerprint(config_of("hrbench_4k", local=local), "hrbench_4k")
    return str(told.value)


def test_turns_that_are_not_equally_many(tmp_path: Path) -> None:
    def spoil(rows: Rows) -> None:
        rows[3]["cycle_category"] = "0"

    text = refusal(tmp_path, spoil)
    assert "questions by turn are '0' 201, '1' 200, '2' 200, '3' 199" in text
    assert "published are 4 turns of equally many" in text


def test_a_turn_too_many(tmp_path: Path) -> None:
    def spoil(rows: Rows) -> None:
        for number, row in enumerate(rows):
            row["cycle_category"] = str(number % 8)

    assert "'7' 100, published are 4 turns" in refusal(tmp_path, spoil)


def test_a_question_that_is_not_turned(tmp_path: Path) -> None:
    """The first question's rows all have its first order, each with the right letter."""

    def spoil(rows: Rows) -> None:
        for row in rows[1:4]:
            row.update({name: rows[0][name] for name in ("A", "B", "C", "D", "answer")})

    text = refusal(tmp_path, spoil)
    assert "does not stand equally often in each of 4 places: 1 question," in text
    assert "What colour is the bag of person 0?" in text


def test_one_question_about_two_pictures(tmp_path: Path) -> None:
    def change(rows: Rows) -> None:
        for row, other in zip(rows[:4], rows[4:8], strict=True):
            row.update({name: other[name] for name in ("question", "A", "B", "C", "D")})

    local = str(write_hrbench(tmp_path / "hrbench", "4k", change))
    assert prepared(tmp_path / "out", "hrbench_4k", local=local).facts.complete


def test_shuffling_would_undo_the_turns() -> None:
    with pytest.raises(ConfigError, match=r"hrbench_4k\.shuffle_seed 0 would undo"):
        fingerprint(config_of("hrbench_4k", shuffle_seed=0), "hrbench_4k")


def test_an_index_may_be_a_text(tmp_path: Path) -> None:
    def change(rows: Rows) -> None:
        for row in rows:
            row["index"] = f"q{row['index']}"
            row["cycle_category"] = int(row["cycle_category"])

    local = str(write_hrbench(tmp_path / "hrbench", "4k", change))
    made = prepared(tmp_path / "out", "hrbench_4k", local=local, limit=2)
    assert made.seeds[0].id == "hr_bench_4k-q0"


def test_a_right_option_that_stands_twice(tmp_path: Path) -> None:
    def spoil(rows: Rows) -> None:
        rows[0]["B"] = " Red"  # the key is A
        rows[4]["C"] = rows[4]["B"]  # two wrong ones that are equal

    text = refusal(tmp_path, spoil)
    assert "row 1, field 'choices'" in text
    assert "the right one, 'Red', more than once" in text
    assert "row 5" not in text
