"""Files of questions that are something else: too large, or nested without end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixel_core.data.faults import Problems, quote
from pixel_core.errors import DataError
from pixel_core.evaluation.benchmarks.tables import json_lines, json_list


@pytest.mark.parametrize("read", [json_lines, json_list])
def test_a_file_too_large_is_not_read(tmp_path: Path, read: Callable[..., Any]) -> None:
    path = tmp_path / "test.json"
    with path.open("wb") as file:
        file.truncate(100_000_001)
    with pytest.raises(DataError, match=r"has 100,000,001 bytes.*copy it again"):
        list(read(path, Problems("a benchmark")))


def test_a_value_nested_too_deeply_is_told_as_that() -> None:
    nested: list[Any] = []
    for _ in range(50_000):
        nested = [nested]
    assert quote(nested) == "a list nested too deeply to be shown"
    assert "nested too deeply" in quote({"text": b"no JSON", "list": nested})
