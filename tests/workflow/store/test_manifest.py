"""The manifest's own guards, where a file on disk could not be edited that finely."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_stages import NUMBERS, small

from pixel_core.workflow.runner import run_stage
from pixel_core.workflow.store import Store
from pixel_core.workflow.store.identity import canonical_json
from pixel_core.workflow.store.manifest import FileEntry, ManifestError, digest_of, dump, parse

files = st.lists(
    st.builds(
        FileEntry,
        path=st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3})?", fullmatch=True),
        size=st.integers(0, 9),
        sha256=st.sampled_from(["0" * 64, "1" * 64]),
    ),
    unique_by=lambda entry: entry.path,
)


@given(files, st.randoms())
def test_digest_tells_file_lists_apart_and_ignores_their_order(entries, random) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert digest_of(shuffled) == digest_of(entries)
    for place, entry in enumerate(entries):
        grown = entry.model_copy(update={"size": entry.size + 1})
        assert digest_of([*entries[:place], grown, *entries[place + 1 :]]) != digest_of(entries)
        assert digest_of([*entries[:place], *entries[place + 1 :]]) != digest_of(entries)


@pytest.fixture
def written(tmp_path: Path) -> dict[str, Any]:
    store = Store.open(str(tmp_path / "store"))
    return json.loads(dump(run_stage(NUMBERS, small(), {}, store).artifact.manifest))


def reparse(envelope: dict[str, Any], stage: str = "numbers") -> None:
    key = envelope["manifest"]["key"]
    parse(json.dumps(envelope).encode(), stage, key)


def sealed(manifest: dict[str, Any]) -> dict[str, Any]:
    """An envelope whose checksum fits, as a wrong writer would make it."""
    checksum = hashlib.sha256(canonical_json(manifest)).hexdigest()
    return {"checksum": checksum, "manifest": manifest}


def test_manifest_survives_its_journey(written: dict[str, Any]) -> None:
    reparse(written)
    assert sealed(written["manifest"]) == written


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"digest": "0" * 64}, "files do not give its digest"),
        ({"parts": {"stage": "numbers"}}, "parts do not give its key"),
        ({"stage": "squares"}, "belongs to squares"),
        ({"files": []}, "files"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_contradictions_are_refused_even_when_sealed(
    written: dict[str, Any], changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(ManifestError, match=told):
        reparse(sealed({**written["manifest"], **changes}))


@pytest.mark.parametrize("path", ["../up", "/etc/passwd", "a/../../b", ""])
def test_files_outside_the_artifact_are_refused(written: dict[str, Any], path: str) -> None:
    manifest = written["manifest"]
    manifest["files"][0]["path"] = path
    with pytest.raises(ManifestError, match=r"files\.0\.path"):
        reparse(sealed(manifest))
