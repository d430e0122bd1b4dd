"""A folder of pages with questions: what becomes a seed, and what is said of faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest

from pixel_core.config import IngestConfig, PagesConfig, PipelineConfig, SplitShares
from pixel_core.data.sources.pages.browser import find
from pixel_core.data.sources.pages.source import PagesSource
from pixel_core.data.sources.source import FoundSeed
from pixel_core.errors import ConfigError, DataError
from pixel_core.media.archive import PictureArchive, PictureArchiveWriter
from pixel_core.records import Cue, Seed
from pixel_core.workflow.store.named_function import named_function
from pixel_core.workflow.table import BY_NAME

pytestmark = pytest.mark.skipif(find() is None, reason="no Chromium on this machine")

WIDTH = 600


def record(page: str, answer: str, **fields: Any) -> dict[str, Any]:
    return {"page": page, "question": f"What about {answer}?", "answer": answer, **fields}


def fill(root: Path, *records: dict[str, Any]) -> Path:
    root.mkdir(exist_ok=True)
    (root / "a.html").write_text("<!doctype html><p>red and blue, or a blue one")
    (root / "sub").mkdir(exist_ok=True)
    (root / "sub" / "b.md").write_text("# Masts\n\nThere are **three** masts.")
    (root / "questions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    return root


GOOD = (
    record("a.html", "red", id="q1", split="test"),
    record("sub/b.md", "C", choices=["one", "two", "three"], subject="the masts"),
    record("a.html", "blue", occurrence=2),
)


def ingest(path: object, archive: Path, **fields: Any) -> tuple[PagesSource, list[FoundSeed]]:
    source = PagesSource(PagesConfig(path=str(path), width=WIDTH, **fields))
    with PictureArchiveWriter(archive) as writer:
        return source, list(source.seeds(writer))


STATED = {"licence": "CC-BY-4.0", "revision": "v2"}


@pytest.fixture(scope="module")
def ingested(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, PagesSource, list[FoundSeed]]:
    """``GOOD`` from a local folder, which lies beside its archive ``p.zip``."""
    place = tmp_path_factory.mktemp("ingested")
    return place, *ingest(fill(place / "pages", *GOOD), place / "p.zip", **STATED)


def test_records_become_seeds(ingested: tuple[Path, PagesSource, list[FoundSeed]]) -> None:
    place, source, found = ingested
    assert source.total() == 3
    seeds: list[Seed] = [one.seed for one in found]
    # Page by page: the second question on a page follows the first.
    assert [seed.answers for seed in seeds] == [("red",), ("blue",), ("three",)]
    assert [one.fixed for one in found] == [True, False, False]
    assert seeds[0].id == "q1"
    assert seeds[0].split == seeds[1].split == "test"
    assert seeds[0].pictures == seeds[1].pictures
    masts = seeds[2]
    assert (masts.choices, masts.subject, masts.kind) == (
        ("one", "two", "three"),
        "the masts",
        "page",
    )
    assert masts.legible is None
    assert (masts.provenance.licence, masts.provenance.revision) == ("CC-BY-4.0", "v2")
    assert masts.provenance.source.startswith("pages:chromium-1")
    archive = PictureArchive(place / "p.zip")
    for seed in seeds:
        image = archive.load(seed.pictures[0])
        assert isinstance(seed.cue, Cue)
        assert seed.cue.box.x2 <= image.width
        crop = np.asarray(image.crop(seed.cue.box.as_tuple()))
        assert crop.min() < 60


@pytest.mark.ci
def test_a_copy_on_s3_makes_the_same_bytes(
    ingested: tuple[Path, PagesSource, list[FoundSeed]], tmp_path: Path, s3_uri: str
) -> None:
    place, source, found = ingested
    bucket, _, prefix = s3_uri.removeprefix("s3://").partition("/")
    for path in (place / "pages").rglob("*"):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(place / 'pages').as_posix()}"
            boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    there, again = ingest(s3_uri, tmp_path / "p.zip", **STATED)
    assert there.fingerprint() == source.fingerprint()
    assert again == found
    assert (tmp_path / "p.zip").read_bytes() == (place / "p.zip").read_bytes()


def test_the_fingerprint_follows_pages_questions_and_what_they_show(tmp_path: Path) -> None:
    root = fill(tmp_path / "pages", *GOOD)

    def now() -> str:
        return str(PagesSource(PagesConfig(path=str(root))).fingerprint())

    seen = {now()}
    (root / "style.css").write_text("p{color:red}")
    seen.add(now())
    (root / "a.html").write_text("<p>red, blue and blue")
    seen.add(now())
    fill(root, *GOOD[:2])
    seen.add(now())
    assert len(seen) == 4
    (root / ".DS_Store").write_text("no part of it")
    assert now() in seen


def test_all_faults_of_the_records_are_told_at_once(tmp_path: Path) -> None:
    root = fill(
        tmp_path / "pages",
        record("gone.html", "x"),
        record("../a.html", "x"),
        record("a.pdf", "x"),
        record("a.html", "red", occurrence=0),
        record("a.html", "red", box=[1, 2, 3, 4]),
        record("a.html", "green", choices=["red", "blue"]),
        {"question": "?", "answer": "x"},
        record("a.html", "red", split="train"),
        record("a.html", "red", split="test", id="other"),
        record("a.html", "red", split="train"),
    )
    with pytest.raises(DataError) as caught:
        PagesSource(PagesConfig(path=str(root))).fingerprint()
    text = str(caught.value)
    for line, told in [
        (1, "is not in"),
        (2, "is not in"),
        (3, "is of an unknown kind"),
        (4, "is no place in a row"),
        (5, "is an unknown field; known: page"),
        (6, "is none of the choices"),
        (7, "'page': null is missing"),
        (9, "which asks about the same page"),
        (10, "records without one get it from what they ask"),
    ]:
        (found,) = [one for one in text.splitlines() if f"line {line}," in one]
        assert told in found


@pytest.mark.ci
def test_all_faults_of_the_pages_are_told_at_once(tmp_path: Path) -> None:
    root = fill(
        tmp_path / "pages",
        record("a.html", "blue"),
        record("a.html", "red"),
        record("sub/b.md", "four"),
        record("high.html", "x"),
    )
    (root / "high.html").write_text("<div style='height:20000px'>x")
    with pytest.raises(DataError, match="3 problems") as caught:
        ingest(root, tmp_path / "p.zip", splits=SplitShares())
    text = str(caught.value)
    assert "line 1, field 'answer': \"blue\" stands on the page 2 times (a.html)" in text
    assert '"occurrence": 1 is the first' in text
    assert '"four" is not in the page\'s text (sub/b.md)' in text
    assert "pixels high, allowed are 16000" in text
    assert not (tmp_path / "p.zip").exists()


def test_a_run_with_pages_is_refused_without_a_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = PagesConfig(path=str(fill(tmp_path / "pages", *GOOD)))
    monkeypatch.setenv("PIXEL_BROWSER", str(tmp_path / "nothing"))
    ready = named_function(BY_NAME["ingest"].ready)
    ready(PipelineConfig(ingest=IngestConfig(sources=("drawn",), pages=pages)))
    with pytest.raises(ConfigError, match="is no program"):
        ready(PipelineConfig(ingest=IngestConfig(sources=("drawn", "pages"), pages=pages)))


@pytest.mark.parametrize("content", [None, "", "\n\n"])
def test_a_folder_without_questions_is_refused(tmp_path: Path, content: str | None) -> None:
    root = fill(tmp_path / "pages")
    (root / "questions.jsonl").unlink()
    if content is not None:
        (root / "questions.jsonl").write_text(content)
    with pytest.raises(DataError, match=r"questions\.jsonl in .* (is|has)"):
        PagesSource(PagesConfig(path=str(root))).fingerprint()
