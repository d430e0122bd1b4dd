"""What the store says about a key: valid, never built, or damaged and how."""

from __future__ import annotations

from dataclasses import dataclass

from pixel_core.store import layout
from pixel_core.store.artifact import Artifact
from pixel_core.store.local_cache import difference
from pixel_core.store.manifest import ManifestError, parse
from pixel_core.store.storage import Storage


@dataclass(frozen=True)
class Valid:
    """Every file was read and is what the manifest says."""

    artifact: Artifact


@dataclass(frozen=True)
class NeverBuilt:
    pass


@dataclass(frozen=True)
class Damaged:
    """Must not be used; ``how`` names the file and the fault."""

    how: str


Verdict = Valid | NeverBuilt | Damaged


def verify(storage: Storage, stage: str, key: str) -> Verdict:
    """Read manifest and files and compare; raises ``StorageError`` when they can't be read."""
    data = storage.read(layout.manifest_path(stage, key))
    if data is None:
        return NeverBuilt()
    try:
        artifact = Artifact(storage, parse(data, stage, key))
    except ManifestError as error:
        return Damaged(f"manifest.json: {error}")
    for entry in artifact.manifest.files:
        wrong = difference(storage.content(f"{artifact.folder}/{entry.path}"), entry)
        if wrong:
            return Damaged(f"{entry.path}: {wrong}")
    return Valid(artifact)
