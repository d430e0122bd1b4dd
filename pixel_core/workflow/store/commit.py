"""Turning a folder of a stage's files into an artifact: files first, manifest last."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.errors import StageFailed, StorageError
from pixel_core.workflow.store import layout
from pixel_core.workflow.store.artifact import Artifact
from pixel_core.workflow.store.cache import adopt
from pixel_core.workflow.store.environment import code_version, environment
from pixel_core.workflow.store.identity import IdentityError, canonical, key_of
from pixel_core.workflow.store.lease import Lease
from pixel_core.workflow.store.local_storage import (
    file_content,
    remove_tree,
    sync_file,
    sync_folder,
)
from pixel_core.workflow.store.manifest import FileEntry, InputRef, Manifest, digest_of, dump
from pixel_core.workflow.store.storage import Storage


@dataclass(frozen=True)
class Draft:
    """All of a manifest but the files, which are in ``files``."""

    parts: Mapping[str, Any]
    inputs: Mapping[str, Artifact]
    generation: str
    files: Path
    metrics: Mapping[str, Any]
    timings: Mapping[str, float]
    costs: Mapping[str, float]
    source: Mapping[str, str]


def commit(storage: Storage, draft: Draft, lease: Lease) -> Artifact:
    """Store the files, then the manifest; the staging folder is moved away.

    Raises ``StageFailed`` for output that cannot be an artifact, ``LeaseLost`` when another
    run took over meanwhile, ``StorageError`` when the storage fails. In each case an
    earlier artifact of the key stays as it was.
    """
    manifest = _manifest(draft)
    artifact = Artifact(storage, manifest)
    lease.check()
    place = storage.local_path(artifact.folder)
    if place is not None:
        _move(storage, draft.files, place, manifest)
    else:
        for entry in manifest.files:
            storage.upload(draft.files / entry.path, f"{artifact.folder}/{entry.path}")
    lease.check()
    storage.write(layout.manifest_path(artifact.stage, artifact.key), dump(manifest))
    if place is None:
        adopt(draft.files, manifest)
    return artifact


def _manifest(draft: Draft) -> Manifest:
    stage = draft.parts["stage"]
    files = _listed(stage, draft.files)
    try:
        metrics = canonical(draft.metrics, "metrics")
    except IdentityError as error:
        raise StageFailed(
            f"stage {stage!r} returned metrics that are no JSON: {error}"
        ) from error
    return Manifest(
        stage=stage,
        version=draft.parts["version"],
        key=key_of(draft.parts),
        parts=dict(draft.parts),
        inputs={
            name: InputRef(key=artifact.key, digest=artifact.digest)
            for name, artifact in sorted(draft.inputs.items())
        },
        generation=draft.generation,
        files=files,
        digest=digest_of(files),
        metrics=metrics,
        created=layout.now(),
        timings=dict(draft.timings),
        costs=dict(draft.costs),
        code=code_version(),
        environment=environment(),
        source=dict(draft.source),
    )


def _listed(stage: str, folder: Path) -> tuple[FileEntry, ...]:
    files = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise StageFailed(
                f"stage {stage!r} left {name!r}, which is a link or special file; artifacts "
                "hold plain files only: write a copy"
            )
        if path.is_file():
            content = file_content(path)
            files.append(FileEntry(path=name, size=content.size, sha256=content.sha256))
    if not files:
        raise StageFailed(f"stage {stage!r} wrote no file; an artifact needs at least one")
    return tuple(files)


def _move(storage: Storage, files: Path, place: Path, manifest: Manifest) -> None:
    try:
        for entry in manifest.files:
            sync_file(files / entry.path)
        for folder in (files, *(path for path in files.rglob("*") if path.is_dir())):
            sync_folder(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        # A commit of this very computation that was killed before its manifest.
        remove_tree(place)
        os.replace(files, place)
        sync_folder(place.parent)
    except OSError as error:
        raise StorageError(
            f"cannot move {files} to {place} in the store {storage.uri}: {error}; check that "
            "the folder is writable and has free space"
        ) from error
