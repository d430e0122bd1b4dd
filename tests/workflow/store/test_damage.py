"""Damaged artifacts are noticed, reported and rebuilt; a damaged copy is fetched again."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from tiny_stages import (
    make_squares,
    squares_of,
)

from pixel_core.errors import StorageError
from pixel_core.workflow.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "store"))


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda file: os.truncate(file, 5), r"squares.json: size 5, expected 20"),
        (lambda file: file.unlink(), r"squares.json: missing"),
        (
            lambda file: file.write_bytes(file.read_bytes().replace(b"25", b"26")),
            r"squares.json: sha256",
        ),
    ],
)
def test_damaged_file_is_rebuilt_under_the_same_key(folder: Store, harm, told: str) -> None:
    before = make_squares(folder).artifact
    harm(before.local() / "squares.json")
    outcome = make_squares(folder)
    assert outcome.status == "built"
    assert outcome.reason.startswith("damaged: ")
    assert outcome.artifact.key == before.key
    assert outcome.artifact.digest == before.digest
    assert re.search(told, outcome.reason)
    assert squares_of(outcome.artifact) == [0, 4, 16, 1, 9, 25]
    assert make_squares(folder).status == "reused"


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: text.replace('"resumed": 0', '"resumed": 1'),
        lambda text: text.replace("squares.json", "../squares.json"),
        lambda text: text.replace('"size": 20', '"size": -1'),
    ],
)
def test_damaged_manifest_is_rebuilt_under_the_same_key(folder: Store, harm) -> None:
    before = make_squares(folder).artifact
    path = Path(folder.uri) / "artifacts" / "squares" / before.key / "manifest.json"
    whole = path.read_text()
    path.write_text(harm(whole))
    assert path.read_text() != whole
    outcome = make_squares(folder)
    assert outcome.status == "built"
    assert outcome.reason.startswith("damaged: manifest.json: ")
    assert outcome.artifact.key == before.key


def test_damaged_object_on_s3_is_rebuilt(s3_uri: str) -> None:
    store = Store.open(s3_uri)
    before = make_squares(store).artifact
    store.storage.write(f"{before.folder}/squares.json", b"[0, 4")
    outcome = make_squares(store)
    assert outcome.reason == "damaged: squares.json: size 5, expected 20"
    assert squares_of(outcome.artifact) == [0, 4, 16, 1, 9, 25]


def test_remote_files_are_fetched_whole_or_not_at_all(
    s3_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(s3_uri)
    artifact = make_squares(store).artifact
    monkeypatch.setenv("PIXEL_CACHE", str(tmp_path / "another"))
    place = artifact.local()
    assert place.is_relative_to(tmp_path / "another")
    (place / "squares.json").write_text("[]")
    assert squares_of(artifact) == [0, 4, 16, 1, 9, 25]  # the spoilt copy was replaced
    monkeypatch.setenv("PIXEL_CACHE", str(tmp_path / "third"))
    store.storage.write(f"{artifact.folder}/squares.json", b"[0, 4")
    with pytest.raises(StorageError, match="size 5, expected 20"):
        artifact.local()
    assert not list((tmp_path / "third").rglob("*.json"))
