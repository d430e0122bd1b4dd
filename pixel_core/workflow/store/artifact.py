"""An artifact: a stage's files with their manifest, wherever they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.workflow.store import layout
from pixel_core.workflow.store.cache import materialise
from pixel_core.workflow.store.manifest import Manifest
from pixel_core.workflow.store.storage import Storage


@dataclass(frozen=True)
class Artifact:
    """What was committed under a key. Picklable; holds no bytes of its files."""

    storage: Storage
    manifest: Manifest

    @property
    def stage(self) -> str:
        return self.manifest.stage

    @property
    def key(self) -> str:
        return self.manifest.key

    @property
    def digest(self) -> str:
        return self.manifest.digest

    @property
    def metrics(self) -> Mapping[str, Any]:
        return self.manifest.metrics

    @property
    def folder(self) -> str:
        """The files' folder, from the store's root."""
        return layout.generation_folder(self.stage, self.key, self.manifest.generation)

    @property
    def uri(self) -> str:
        return f"{self.storage.uri}/{self.folder}"

    def local(self, unread: Sequence[str] = ()) -> Path:
        """The folder of files on this machine, fetched first when the store is remote.

        Files whose path fits a pattern of ``unread`` (as ``fnmatch`` has it) may be missing.

        Raises ``StorageError`` when the files cannot be fetched whole. Read only: what is
        written there damages the artifact.
        """
        place = self.storage.local_path(self.folder)
        if place is not None:
            return place
        return materialise(self.storage, self.folder, self.manifest, unread)
