"""InfographicsVQA: the authors' JSON, and the hub's Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from preparing import prepared
from published_files import write_infographics, write_infographics_parquet

from pixel_core.errors import DataError


def test_both_forms_ask_the_same(tmp_path: Path) -> None:
    own = prepared(
        tmp_path / "a", "infographicsvqa", local=str(write_infographics(tmp_path / "json"))
    )
    hub = prepared(
        tmp_path / "b",
        "infographicsvqa",
        local=str(write_infographics_parquet(tmp_path / "parquet")),
    )
    assert own.facts.complete
    assert hub.facts.complete
    assert own.facts.used == hub.facts.used == own.facts.published == 2_801
    assert own.facts.pictures == hub.facts.pictures == 5
    assert own.facts.metric == "ANLS"
    assert own.facts.kinds["several types"].used == 700
    for one, other in zip(own.seeds, hub.seeds, strict=True):
        assert (one.id, one.question, one.answers, one.kind) == (
            other.id,
            other.question,
            other.answers,
            other.kind,
        )
    assert own.seeds[7].answers == ("Pinterest", "platform 7")
    # The hub's are PNG here, the authors' JPEG; every question has its own.
    pictures = hub.pictures()
    for seed in hub.seeds[:10]:
        assert pictures.load(seed.pictures[0]).size == (48, 32)
    assert hub.seeds[1398].pictures == hub.seeds[1403].pictures


def test_the_test_questions_are_refused(tmp_path: Path) -> None:
    (tmp_path / "infographicsVQA_test_v1.0.json").write_text('{"data": []}')
    with pytest.raises(DataError, match="answers are not public"):
        prepared(tmp_path / "out", "infographicsvqa", local=str(tmp_path))

    def as_test(rows: list[dict[str, Any]]) -> None:
        for row in rows[:3]:
            row["data_split"] = "test"
        for row in rows[3:5]:
            row["answers"] = []
        del rows[5]["answers"]

    local = write_infographics(tmp_path / "json", as_test, count=30)
    with pytest.raises(DataError, match="no public answers") as told:
        prepared(tmp_path / "more", "infographicsvqa", local=str(local))
    assert "24 questions, published are 2,801" in str(told.value)


def test_one_file_of_the_two_is_missing(tmp_path: Path) -> None:
    local = write_infographics_parquet(tmp_path / "parquet", count=40)
    (local / "InfographicVQA" / "validation-00001-of-00002.parquet").unlink()
    with pytest.raises(DataError, match="20 questions, published are 2,801"):
        prepared(tmp_path / "out", "infographicsvqa", local=str(local))


def test_a_picture_name_that_leads_away(tmp_path: Path) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        rows[0]["image_local_name"] = "../../secret.png"
        rows[1]["image_local_name"] = "a\\b.jpeg"
        rows[2]["image_local_name"] = "\0"

    (tmp_path / "secret.png").write_bytes(b"secret")
    local = write_infographics(tmp_path / "json", spoil, count=10)
    made = prepared(tmp_path / "out", "infographicsvqa", local=str(local), incomplete=True)
    assert made.facts.faults == {"picture": 3}
    assert made.facts.used == 7


def test_cells_that_hold_no_picture(tmp_path: Path) -> None:
    cells = (None, b"", b"not a picture", {"bytes": None, "path": "x.png"})

    def spoil(rows: list[dict[str, Any]]) -> None:
        for place, cell in enumerate(cells):
            whole = isinstance(cell, dict)
            rows[place]["image"] = cell if whole else {"bytes": cell, "path": None}

    local = write_infographics_parquet(tmp_path / "parquet", spoil, count=20)
    made = prepared(tmp_path / "out", "infographicsvqa", local=str(local), incomplete=True)
    assert made.facts.used == 16
    for place in range(len(cells)):
        assert any(f"row {place + 1}, field 'picture'" in note for note in made.notes)
