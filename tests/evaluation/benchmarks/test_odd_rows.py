"""Whatever a row holds, it is a sound question or a fault that is told; nothing crashes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preparing import prepared
from published_files import picture

from pixel_core.config import BenchmarkName
from pixel_core.errors import DataError

#: A sound row of each.
ROWS: dict[BenchmarkName, dict[str, Any]] = {
    "vstar": {
        "image": "direct_attributes/0.jpg",
        "text": "What is it?\n(A) red\n(B) blue",
        "category": "direct_attributes",
        "question_id": "0",
        "label": "B",
    },
    "tallyqa_complex": {
        "image": "direct_attributes/0.jpg",
        "question": "How many?",
        "answer": 3,
        "issimple": False,
        "question_id": 5,
    },
    "infographicsvqa": {
        "image_local_name": "0.jpg",
        "question": "Which?",
        "answers": ["red"],
        "answer_type": ["single span"],
        "questionId": 7,
        "data_split": "val",
    },
}
TEXTS = st.text(max_size=30) | st.sampled_from(
    ["\ud800", "\0", "../x", "/etc/passwd", "(A) (B)", "a\n(A) b\n(B) c", " ", "A" * 5000]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)


def write(root: Path, name: BenchmarkName, row: dict[str, Any]) -> None:
    for folder in ("direct_attributes", "infographicsvqa_images"):
        (root / folder).mkdir()
        (root / folder / "0.jpg").write_bytes(picture(1))
    text = json.dumps(row)
    (root / "test_questions.jsonl").write_text(text)
    (root / "test.json").write_text(f"[{text}]")
    (root / "infographicsVQA_val_v1.0_withQT.json").write_text(f'{{"data": [{text}]}}')


@pytest.mark.parametrize("name", ROWS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_row_with_anything_in_a_field(name: BenchmarkName, data: st.DataObject) -> None:
    row = dict(ROWS[name])
    for field in data.draw(st.sets(st.sampled_from(sorted(row)), min_size=1, max_size=2)):
        row[field] = data.draw(VALUES, label=field)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, name, row)
        try:
            made = prepared(root / "out", name, local=folder, incomplete=True)
        except DataError as error:
            told = str(error)
        else:
            told = ""
            assert made.facts.used == len(made.seeds) == 1
            assert not made.facts.complete
    assert not told or "problem" in told or "no questions" in told


@pytest.mark.parametrize("name", ROWS)
def test_the_sound_row_is_taken(tmp_path: Path, name: BenchmarkName) -> None:
    write(tmp_path, name, ROWS[name])
    assert (
        prepared(tmp_path / "out", name, local=str(tmp_path), incomplete=True).facts.used == 1
    )
