"""The artifact store: find, reserve, commit, and the record of runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pixel_core.workflow.store import cache as local_cache
from pixel_core.workflow.store import cleaning, layout
from pixel_core.workflow.store.artifact import Artifact
from pixel_core.workflow.store.commit import Draft, commit
from pixel_core.workflow.store.lease import Lease, ProcessId, acquire
from pixel_core.workflow.store.local_storage import remove_tree
from pixel_core.workflow.store.manifest import ManifestError, parse
from pixel_core.workflow.store.open import open_storage
from pixel_core.workflow.store.runs import RunRecord, Runs
from pixel_core.workflow.store.sound_files import SoundFiles
from pixel_core.workflow.store.storage import Storage
from pixel_core.workflow.store.verdict import Verdict, verify
from pixel_core.workflow.store.workspace import (
    StoredNotes,
    StoredWorkspace,
    cache_folder,
    open_notes,
)


class Store:
    """Artifacts, workspaces, leases and runs below one root. Picklable."""

    def __init__(self, storage: Storage, *, read_all: bool = False) -> None:
        self.storage = storage
        self._files = SoundFiles(storage, read_all=read_all)
        self.runs = Runs(storage)
        #: A stage of a cell stands in a record under its label.
        self.studies = Runs(storage, layout.STUDIES)

    @classmethod
    def open(cls, uri: str, *, read_all: bool = False) -> Store:
        """A folder's path or ``s3://bucket/prefix``; a folder need not exist yet.

        ``read_all``: ``find`` reads every byte of what it is asked for, once, whatever is
        known of it.

        Asks the storage once, so that one that is down is met before any work: raises
        ``StorageError`` naming the address and the remedy.
        """
        store = cls(open_storage(uri), read_all=read_all)
        store.storage.read(f"{layout.RUNS}/.probe")
        return store

    @property
    def uri(self) -> str:
        return self.storage.uri

    def find(self, stage: str, key: str) -> Verdict:
        """Is there an artifact under the key, and is every file of it sound?

        Files that this store, or an earlier process, has read are not read again while the
        file system shows no change; see ``sound_files``.
        """
        return verify(self._files, self.storage, stage, key)

    def load(self, stage: str, key: str) -> Artifact | None:
        """The artifact as its manifest tells, files unread; None without a sound manifest."""
        data = self.storage.read(layout.manifest_path(stage, key))
        if data is None:
            return None
        try:
            return Artifact(self.storage, parse(data, stage, key))
        except ManifestError:
            return None

    def latest(self, stage: str) -> Artifact | None:
        """The stage's artifact that was made or reused last, files unread."""
        key = self.storage.read(layout.latest_path(stage))
        return self.load(stage, key.decode("ascii", "replace").strip()) if key else None

    def remember(self, artifact: Artifact) -> None:
        """Make it the stage's latest: what the next change is explained against."""
        path, key = layout.latest_path(artifact.stage), f"{artifact.key}\n".encode()
        if self.storage.read(path) != key:
            self.storage.write(path, key)

    def lease(
        self,
        stage: str,
        key: str,
        waiting: Callable[[ProcessId | None], None],
        patience: Callable[[], None] = lambda: None,
    ) -> Lease:
        """Wait until nobody else computes this key, then hold it; see ``lease.acquire``."""
        folder = layout.lease_folder(stage, key)
        return acquire(self.storage, folder, waiting=waiting, patience=patience)

    def workspace(
        self, stage: str, key: str, *, fresh: bool = False, generation: str | None = None
    ) -> StoredWorkspace:
        """The workspace of the computation to go on with, or of a new one.

        Which one is unfinished is stored, so a killed run's successor finds it. ``fresh``
        starts a new generation and drops what older ones left; ``generation`` names the
        one to start or to go on with, whichever it is.
        """
        folder = layout.work_folder(stage, key)
        unfinished = self.unfinished(stage, key)
        if generation is None:
            generation = layout.new_id() if fresh or not unfinished else unfinished
        if generation != unfinished:
            self.storage.delete_folder(folder)
            self.storage.write(f"{folder}/generation", generation.encode())
        return StoredWorkspace(self.storage, f"{folder}/{generation}", generation)

    def unfinished(self, stage: str, key: str) -> str | None:
        """The generation of the computation that was begun and not ended, if there is one."""
        marker = self.storage.read(f"{layout.work_folder(stage, key)}/generation")
        return marker.decode() if marker else None

    def drop_workspace(self, stage: str, key: str) -> None:
        self.storage.delete_folder(layout.work_folder(stage, key))

    def notes(
        self, stage: str, owner: str, patience: Callable[[], None] = lambda: None
    ) -> StoredNotes:
        """What all runs of the stage share, whatever their key; see ``shared_notes``."""
        return open_notes(self.storage, stage, owner, patience)

    def cache(self, stage: str) -> Path:
        """A local folder for what the stage can make again; it need not exist."""
        return cache_folder(self.storage, stage)

    def staging(self, stage: str, key: str, generation: str) -> Path:
        """An empty local folder for a stage to write to; the caller removes it."""
        name = f"{stage}-{key[:16]}-{generation}"
        folder = self.storage.local_path(f"{layout.STAGING}/{name}")
        folder = folder or local_cache.staging_folder(name)
        remove_tree(folder)
        folder.mkdir(parents=True)
        return folder

    def commit(self, draft: Draft, lease: Lease) -> Artifact:
        """See ``commit.commit``."""
        return commit(self.storage, draft, lease)

    def latest_run(self) -> RunRecord | None:
        return self.runs.latest()

    def clean(
        self, *, older_than: float = cleaning.WEEK, dry_run: bool = False
    ) -> cleaning.Cleaned:
        """See ``cleaning.clean``."""
        return cleaning.clean(self.storage, older_than=older_than, dry_run=dry_run)
