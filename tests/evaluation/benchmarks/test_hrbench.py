"""HR-Bench: one Parquet file, pictures in base64."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from preparing import prepared
from published_files import write_hrbench

from pixel_core.errors import ConfigError, DataError
from pixel_core.evaluation.benchmarks.registry import BENCHMARKS
from pixel_core.evaluation.benchmarks.tables import Cells
from pixel_core.evaluation.row_answers import asked_questions
from pixel_core.records import Query


@pytest.mark.parametrize("size", ["4k", "8k"])
def test_four_turns_of_two_hundred_questions(tmp_path: Path, size: Any) -> None:
    local = str(write_hrbench(tmp_path / "hrbench", size))
    made = prepared(tmp_path / "out", f"hrbench_{size}", local=local)  # type: ignore[arg-type]
    assert made.facts.complete
    assert Counter(seed.kind for seed in made.seeds) == {"single": 400, "cross": 400}
    assert made.facts.pictures == 200
    assert made.facts.keys is not None
    assert made.facts.keys.put == {"A": 200, "B": 200, "C": 200, "D": 200}
    turned = made.seeds[4:8]
    assert len({seed.pictures for seed in turned}) == 1
    assert len({seed.choices for seed in turned}) == 4
    assert {seed.answers for seed in turned} == {("Red",)}


def test_scoring_finds_the_turns_of_each_question(tmp_path: Path) -> None:
    local = str(write_hrbench(tmp_path / "hrbench"))
    made = prepared(tmp_path / "out", "hrbench_4k", local=local)
    queries = [Query.from_seed(seed) for seed in made.seeds]
    turns = asked_questions(queries, BENCHMARKS["hrbench_4k"].turns > 1).turns
    assert turns == tuple(tuple(range(row, row + 4)) for row in range(0, 800, 4))


def test_rows_that_are_wrong(tmp_path: Path) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        rows[0]["answer"] = "E"
        rows[1]["category"] = "triple"
        rows[2]["B"] = None
        rows[3]["index"] = 9
        rows[4]["image"] = "!!!"
        rows[5]["image"] = "Zm9v"
        rows[6]["question"] = ""

    local = str(write_hrbench(tmp_path / "hrbench", "4k", spoil))
    with pytest.raises(DataError) as told:
        prepared(tmp_path / "out", "hrbench_4k", local=local)
    for row in (1, 2, 3, 7, 10):
        assert f"row {row}, field" in str(told.value)
    assert "single: 395 questions, published are 400" in str(told.value)
    made = prepared(tmp_path / "more", "hrbench_4k", local=local, incomplete=True)
    assert made.facts.used == 800 - 7
    assert made.facts.faults["picture"] == 2


def test_a_column_is_missing(tmp_path: Path) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["options"] = row.pop("D")

    local = str(write_hrbench(tmp_path / "hrbench", "4k", spoil))
    with pytest.raises(DataError, match=r"no columns \['D'\], it has .*'options'"):
        prepared(tmp_path / "out", "hrbench_4k", local=local)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_file_cut_short(tmp_path: Path, kept: float) -> None:
    local = write_hrbench(tmp_path / "hrbench")
    path = local / "hr_bench_4k.parquet"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DataError, match="copy it again"):
        prepared(tmp_path / "out", "hrbench_4k", local=str(local))


def test_a_file_damaged_inside(tmp_path: Path) -> None:
    local = write_hrbench(tmp_path / "hrbench")
    path = local / "hr_bench_4k.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 4 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 4)
    path.write_bytes(data)
    with pytest.raises(DataError):
        prepared(tmp_path / "out", "hrbench_4k", local=str(local))


def test_a_text_that_is_no_text(tmp_path: Path) -> None:
    local = write_hrbench(tmp_path / "hrbench")
    path = local / "hr_bench_4k.parquet"
    table = pyarrow.parquet.read_table(path)
    broken = pyarrow.array([b"\xff\xfe"] * len(table)).cast(pyarrow.string(), safe=False)
    place = table.schema.get_field_index("question")
    pyarrow.parquet.write_table(table.set_column(place, "question", broken), path)
    with pytest.raises(DataError, match="not a readable Parquet file"):
        prepared(tmp_path / "out", "hrbench_4k", local=str(local))


def test_there_is_one_layout(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not published as 'original'"):
        prepared(tmp_path / "out", "hrbench_4k", layout="original", local=str(tmp_path))


def test_cells_are_read_in_any_order(tmp_path: Path) -> None:
    paths = []
    for part in range(2):
        table = pyarrow.table({"n": list(range(part * 10, part * 10 + 10))})
        paths.append(tmp_path / f"{part}.parquet")
        pyarrow.parquet.write_table(table, paths[-1])
    cells = Cells(paths, "n")
    assert [cells.at(row) for row in (0, 3, 3, 11, 2, 19, 0)] == [0, 3, 3, 11, 2, 19, 0]
    with pytest.raises(IndexError):
        cells.at(20)
