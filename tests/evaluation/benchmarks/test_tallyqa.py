"""TallyQA-Complex in its authors' own files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from preparing import prepared
from published_files import write_tallyqa

from pixel_core.errors import DataError


@pytest.mark.ci
def test_the_complex_questions_of_a_whole_copy(tmp_path: Path) -> None:
    local = str(write_tallyqa(tmp_path / "tallyqa"))
    made = prepared(tmp_path / "out", "tallyqa_complex", local=local)
    assert made.facts.complete
    assert made.facts.used == made.facts.found == 15_598
    assert made.facts.pictures == 6  # of those that complex questions ask about
    assert made.facts.keys is None
    assert made.facts.grader == "counting"
    assert made.seeds[2].id == "tallyqa-30095777"
    assert made.seeds[2].answers == ("3",)
    assert made.seeds[2].kind == "complex"


def test_pictures_may_lie_in_the_publishers_zips(tmp_path: Path) -> None:
    folders = write_tallyqa(tmp_path / "folders", complex_ones=20)
    zipped = tmp_path / "zipped"
    zipped.mkdir()
    shutil.copy(folders / "test.json", zipped)
    for name in ("VG_100K", "VG_100K_2", "val2014"):
        shutil.make_archive(str(zipped / name), "zip", folders, name)
    one = prepared(tmp_path / "a", "tallyqa_complex", local=str(folders), incomplete=True)
    other = prepared(tmp_path / "b", "tallyqa_complex", local=str(zipped), incomplete=True)
    assert one.facts.used == 20
    assert one.files() == other.files()


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    local = write_tallyqa(tmp_path / "tallyqa", complex_ones=60)
    shutil.rmtree(local / "VG_100K_2")
    with pytest.raises(DataError) as told:
        prepared(tmp_path / "out", "tallyqa_complex", local=str(local))
    text = str(told.value)
    assert "complex: 60 questions, published are 15,598" in text
    assert "30 faults in rows or files" in text
    assert "VG_100K_2/2410400.jpg" in text
    assert "and 10 more" in text


def test_rows_of_another_shape(tmp_path: Path) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        rows[0]["answer"] = "three"
        rows[1]["question"] = "  "
        rows[3]["answer"] = -1
        rows[4].pop("issimple")
        rows[6]["image"] = "/etc/passwd"
        rows[7] = "no object"  # type: ignore[call-overload]

    local = str(write_tallyqa(tmp_path / "tallyqa", spoil, complex_ones=20))
    made = prepared(tmp_path / "out", "tallyqa_complex", local=local, incomplete=True)
    assert made.facts.used == 20 - 6
    assert made.facts.faults == {
        "answer": 2,
        "question": 1,
        "issimple": 1,
        "picture": 1,
        "record": 1,
    }


@pytest.mark.parametrize("content", ["", "{}", "[1, 2", '{"data": []}', "[]"])
def test_a_file_that_holds_no_questions(tmp_path: Path, content: str) -> None:
    (tmp_path / "test.json").write_text(content)
    with pytest.raises(DataError):
        prepared(tmp_path / "out", "tallyqa_complex", local=str(tmp_path), incomplete=True)


def test_it_is_on_no_hub(tmp_path: Path) -> None:
    with pytest.raises(DataError) as told:
        prepared(tmp_path / "out", "tallyqa_complex")
    assert "benchmarks.tallyqa_complex.local" in str(told.value)
    assert "Visual Genome" in str(told.value)
