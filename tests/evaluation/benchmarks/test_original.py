"""Pixel Reasoner's evaluation sets: Parquet beside packed pictures, in every form of a row."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from huggingface_hub.utils import filter_repo_objects
from preparing import prepared
from real_videos import number_on, numbered

from pixel_core.config import BenchmarkDataConfig
from pixel_core.data.faults import Problems
from pixel_core.data.hub_files import Copy
from pixel_core.errors import DataError
from pixel_core.evaluation.benchmarks.original import OriginalReader
from pixel_core.evaluation.benchmarks.reading import Item
from pixel_core.evaluation.benchmarks.registry import BENCHMARKS
from pixel_core.media.loading import load_picture
from pixel_core.media.picture_zip import PictureFault

LAYOUT = BENCHMARKS["vstar"].layouts["original"]

GLOVE = (
    "<image>\nWhat is the material of the glove?\n(A) rubber\n(B) cotton\n(C) kevlar\n"
    "(D) leather\nAnswer with the option's letter from the given choices directly."
)


def row(**more: Any) -> dict[str, Any]:
    base = {
        "question": GLOVE,
        "image": ["images/0.jpg"],
        "answer": "\\boxed{A}",
        "qid": "vstar-0",
    }
    return {**base, **more}


def write(root: Path, rows: Sequence[dict[str, Any]], *, pictures: int = 1) -> Path:
    """Columns may differ from row to row; what a row lacks is null."""
    names = list(dict.fromkeys(name for fields in rows for name in fields))
    columns = {name: [fields.get(name) for fields in rows] for name in names}
    pyarrow.parquet.write_table(pyarrow.table(columns), root / "vstar.parquet")
    with zipfile.ZipFile(root / "images.zip", "w") as packed:
        for number in range(pictures):
            out = io.BytesIO()
            numbered(number).save(out, "JPEG", quality=95)
            packed.writestr(f"images/{number}.jpg", out.getvalue())
    return root


def opened(root: Path) -> OriginalReader:
    return OriginalReader(Copy(root, root), LAYOUT, BenchmarkDataConfig(layout="original"))


def items(root: Path) -> list[Item]:
    problems = Problems("V*")
    found = list(opened(root).items(problems))
    problems.raise_if_any()
    return found


def shown(root: Path, item: Item) -> list[int]:
    reader = opened(root)
    files = [reader.media.find(path) for path in item.paths]
    return [number_on(load_picture(file.read())) for file in reader.pictures(item, files)]


def test_a_question_with_its_options(tmp_path: Path) -> None:
    [item] = items(write(tmp_path, [row()]))
    assert item.question == "What is the material of the glove?"
    assert item.choices == ("rubber", "cotton", "kevlar", "leather")
    assert item.accepted == ("rubber",)
    assert (item.id, item.kind, item.is_video) == ("vstar-0", "vstar", False)
    assert item.place == "vstar.parquet, row 1"
    assert shown(tmp_path, item) == [0]


def test_pictures_unpacked_beside_the_table(tmp_path: Path) -> None:
    write(tmp_path, [row(image=["images/3.jpg"])], pictures=4)
    with zipfile.ZipFile(tmp_path / "images.zip") as packed:
        packed.extractall(tmp_path)
    (tmp_path / "images.zip").unlink()
    [item] = items(tmp_path)
    assert shown(tmp_path, item) == [3]


def test_a_video_is_its_frames_in_their_order(tmp_path: Path) -> None:
    frames = [f"images/{number}.jpg" for number in (2, 0, 1)]
    fields = row(image=frames, is_video=True, qid="mvbench-action_count-12")
    [item] = items(write(tmp_path, [fields], pictures=3))
    assert item.is_video
    assert shown(tmp_path, item) == [2, 0, 1]
    assert item.kind == "action_count"


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("\\boxed{C}", "kevlar"),
        ("B", "cotton"),
        ("(d)", "leather"),
        ("C. kevlar", "kevlar"),
        ("(B) Cotton.", "cotton"),
        ("\\boxed{rubber}", "rubber"),
    ],
)
def test_an_answer_names_an_option_by_letter_or_text(
    tmp_path: Path, answer: str, right: str
) -> None:
    assert items(write(tmp_path, [row(answer=answer)]))[0].accepted == (right,)
    assert items(write(tmp_path, [row(answer=[answer])]))[0].accepted == (right,)


@pytest.mark.parametrize("answer", ["E", "A. cotton", "glass", ["A", "glass"]])
def test_an_answer_that_is_no_option_is_told(tmp_path: Path, answer: Any) -> None:
    with pytest.raises(DataError, match=r"row 1, field 'answer'.*is not one of the options"):
        items(write(tmp_path, [row(answer=answer)]))


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        (["\\boxed{60%}"], ("60%",)),
        (["sixty percent", "60%"], ("sixty percent", "60%")),
        ("\\boxed{['60%', '60']}", ("60%", "60")),
        ("\\boxed{[1, 2]}", ("1", "2")),
        ("\\boxed{[not a list}", ("[not a list",)),
        ("\\boxed{\\frac{1}{2}}", ("\\frac{1}{2}",)),
        (7, ("7",)),
    ],
)
def test_answers_in_any_written_form(
    tmp_path: Path, answer: Any, accepted: tuple[str, ...]
) -> None:
    fields = row(question="What share of them agrees?", answer=answer)
    [item] = items(write(tmp_path, [fields]))
    assert (item.question, item.choices) == ("What share of them agrees?", ())
    assert item.accepted == accepted


@pytest.mark.parametrize(
    ("qid", "image", "kind"),
    [
        ("vstar-direct_attributes-3", "images/0.jpg", "direct_attributes"),
        ("vstar-3", "images/relative_position/0.jpg", "relative_position"),
        ("MVBench-Action Sequence-7", "images/0.jpg", "action_sequence"),
        ("tallyqa-9", "images/0.jpg", "tallyqa"),
        ("17", "images/0.jpg", ""),
    ],
)
def test_the_kind_is_what_the_row_names(
    tmp_path: Path, qid: str, image: str, kind: str
) -> None:
    assert items(write(tmp_path, [row(qid=qid, image=[image])]))[0].kind == kind


def test_every_fault_of_every_row_is_told_at_once(tmp_path: Path) -> None:
    rows = [
        row(),
        row(question=None),
        row(image=[]),
        row(image=["images/0.jpg", "  "]),
        row(answer=[]),
        row(answer="D", question=None, image=None),
    ]
    with pytest.raises(DataError) as caught:
        items(write(tmp_path, [{**fields, "answer": _listed(fields)} for fields in rows]))
    text = str(caught.value)
    for number, field in ((2, "question"), (3, "image"), (4, "image"), (5, "answer")):
        assert f"vstar.parquet, row {number}, field {field!r}" in text
    assert "row 6, field 'question'" in text
    assert "row 6, field 'image'" in text
    assert "row 1," not in text


def _listed(fields: dict[str, Any]) -> list[str]:
    answer = fields["answer"]
    return answer if isinstance(answer, list) else [answer]


def test_a_table_of_another_schema(tmp_path: Path) -> None:
    write(tmp_path, [{"problem": "?", "image": ["a.jpg"]}])
    with pytest.raises(DataError, match=r"no columns .*answer.*qid"):
        items(tmp_path)


def test_half_a_table(tmp_path: Path) -> None:
    path = write(tmp_path, [row()]) / "vstar.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="not a readable Parquet file"):
        items(tmp_path)


def test_which_table_must_be_clear(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no Parquet file"):
        opened(tmp_path)
    write(tmp_path, [row()])
    (tmp_path / "vstar.parquet").rename(tmp_path / "train.parquet")
    assert [path.name for path in opened(tmp_path).tables()] == ["train.parquet"]
    fetched = filter_repo_objects(
        ["train.parquet", "images.zip", "notes.md"], allow_patterns=list(LAYOUT.files)
    )
    assert list(fetched) == ["train.parquet", "images.zip"]
    write(tmp_path, [row()])
    assert [path.name for path in opened(tmp_path).tables()] == ["vstar.parquet"]
    (tmp_path / "vstar.parquet").rename(tmp_path / "test.parquet")
    with pytest.raises(DataError, match="several Parquet files"):
        opened(tmp_path)


@pytest.mark.parametrize("path", ["../secret.jpg", "/etc/passwd"])
def test_paths_lead_nowhere_else(tmp_path: Path, path: str) -> None:
    [item] = items(write(tmp_path, [row(image=[path])]))
    with pytest.raises(PictureFault, match="not a relative path"):
        opened(tmp_path).media.find(item.paths[0])


def test_the_set_as_a_stage(tmp_path: Path) -> None:
    """Its questions are graded by what is right, wherever its letter then stands."""
    rows = [
        row(qid=f"vstar-{n}", image=[f"images/{n}.jpg"], answer="ABCD"[n]) for n in range(4)
    ]
    write(tmp_path, rows, pictures=4)
    settings = {"layout": "original", "local": str(tmp_path), "shuffle_seed": 1}
    with pytest.raises(DataError, match="4 questions, published are 191"):
        prepared(tmp_path / "refused", "vstar", **settings)
    done = prepared(tmp_path / "out", "vstar", incomplete=True, **settings)
    assert [seed.answers for seed in done.seeds] == [
        ("rubber",),
        ("cotton",),
        ("kevlar",),
        ("leather",),
    ]
    assert {frozenset(seed.choices) for seed in done.seeds} == {
        frozenset({"rubber", "cotton", "kevlar", "leather"})
    }
    assert [seed.choices.index(*seed.answers) for seed in done.seeds] != [0, 1, 2, 3]
    assert done.facts.layout == "original"


def test_a_set_without_a_published_count_is_not_called_complete(tmp_path: Path) -> None:
    write(tmp_path, [row(qid="infographics-0"), row(qid="infographics-1")])
    (tmp_path / "vstar.parquet").rename(tmp_path / "infographics.parquet")
    settings = {"layout": "original", "local": str(tmp_path)}
    made = prepared(tmp_path / "out", "infographicsvqa", **settings)
    assert (made.facts.used, made.facts.missing, made.facts.complete) == (2, (), None)
    write(tmp_path, [row(qid="infographics-0"), row(qid="infographics-1", answer="glass")])
    (tmp_path / "vstar.parquet").rename(tmp_path / "infographics.parquet")
    less = prepared(tmp_path / "less", "infographicsvqa", incomplete=True, **settings)
    assert (less.facts.used, less.facts.complete) == (1, False)
