"""What the store says about a key: valid, never built, or damaged and how."""

from __future__ import annotations

from dataclasses import dataclass

from pixel_core.workflow.store import layout
from pixel_core.workflow.store.artifact import Artifact
from pixel_core.workflow.store.manifest import ManifestError, parse
from pixel_core.workflow.store.sound_files import SoundFiles
from pixel_core.workflow.store.storage import Storage


@dataclass(frozen=True)
class Valid:
    """Every file is what the manifest says."""

    artifact: Artifact


@dataclass(frozen=True)
class NeverBuilt:
    pass


@dataclass(frozen=True)
class Damaged:
    """Must not be used; ``how`` names the file and the fault."""

    how: str


Verdict = Valid | NeverBuilt | Damaged


def verify(files: SoundFiles, storage: Storage, stage: str, key: str) -> Verdict:
    """Compare manifest and files (see ``sound_files`` for which are read again); raises
    ``StorageError`` when they can't be read."""
    data = storage.read(layout.manifest_path(stage, key))
    if data is None:
        return NeverBuilt()
    try:
        artifact = Artifact(storage, parse(data, stage, key))
    except ManifestError as error:
        return Damaged(f"manifest.json: {error}")
    try:
        for entry in artifact.manifest.files:
            wrong = files.fault(f"{artifact.folder}/{entry.path}", entry)
            if wrong:
                return Damaged(f"{entry.path}: {wrong}")
    finally:
        files.flush()
    return Valid(artifact)
