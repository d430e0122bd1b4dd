"""Removing what no reader can come to need."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass

from pixel_core.workflow.store import layout
from pixel_core.workflow.store.local_storage import TEMPORARY
from pixel_core.workflow.store.manifest import ManifestError, parse
from pixel_core.workflow.store.storage import Storage, StoredObject

WEEK = 7 * 24 * 3600.0


@dataclass(frozen=True)
class Cleaned:
    """Folders and objects that were removed (or would be), and their bytes."""

    removed: tuple[str, ...]
    size: int


def clean(storage: Storage, *, older_than: float = WEEK, dry_run: bool = False) -> Cleaned:
    """Remove generations no manifest names, abandoned workspaces, staging and leases.

    A thing goes only when the newest file in it is older than ``older_than`` seconds, which
    must be longer than any stage stays silent: a running stage's files are young.
    """
    limit = time.time() - older_than
    things: dict[str, list[StoredObject]] = defaultdict(list)
    for top, depth in (
        (layout.ARTIFACTS, 4),
        (layout.WORK, 3),
        (layout.LEASES, 3),
        (layout.STAGING, 2),
        (TEMPORARY, 2),
    ):
        for entry in storage.entries(top):
            parts = entry.path.split("/")
            if len(parts) >= depth + (top == layout.ARTIFACTS):
                things["/".join(parts[:depth])].append(entry)
    removed, size = [], 0
    for folder, entries in sorted(things.items()):
        if max(entry.modified for entry in entries) > limit or _is_current(storage, folder):
            continue
        removed.append(folder)
        size += sum(entry.size for entry in entries)
        if not dry_run:
            storage.delete_folder(folder)
            storage.delete(folder)  # where the thing is a single object
    return Cleaned(tuple(removed), size)


def _is_current(storage: Storage, folder: str) -> bool:
    top, *rest = folder.split("/")
    if top != layout.ARTIFACTS:
        return False
    stage, key, generation = rest
    data = storage.read(layout.manifest_path(stage, key))
    if data is None:
        return False
    try:
        return parse(data, stage, key).generation == generation
    except ManifestError:
        return True  # of a later version, perhaps: not ours to judge
