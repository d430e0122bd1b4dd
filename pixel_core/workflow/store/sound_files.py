"""Whether files are what their manifest says, each read once: in a process, and between
processes where the file system shows that it has not changed since.

What was read is kept below ``PIXEL_CACHE`` (see ``folder_memory``) with the file's stamp: size,
times, device and inode. It only ever confirms: a digest that is not the expected one is read
again before anything is called damaged, and a memory that is gone, spoilt or another machine's
costs a reading. What a stamp can't show is a disk that gives other bytes than were written to
it; ``read_all`` does.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from pixel_core.workflow.store.cache import difference
from pixel_core.workflow.store.manifest import FileEntry
from pixel_core.workflow.store.stat_cache import FolderFile, FolderMemory
from pixel_core.workflow.store.storage import Content, Stamp, Storage

_KIND = "artifact sha256"


class SoundFiles:
    """Of one storage. Picklable, but what it knows stays in its process."""

    def __init__(self, storage: Storage, *, read_all: bool = False) -> None:
        self._storage = storage
        self._read_all = read_all
        self._memory = FolderMemory()
        #: By path, what this process has read: the stamp before it did, and the content.
        self._read: dict[str, tuple[Stamp | None, Content]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self._storage, self._read_all)

    def fault(self, path: str, entry: FileEntry) -> str | None:
        """How the object differs from the manifest, in words; None when it does not.

        Raises ``StorageError`` when it can't be read.
        """
        stamp = self._storage.stamp(path)
        known = self._known(path, stamp, entry)
        if known is not None and difference(known, entry) is None:
            return None
        content = self._storage.content(path, every_byte=self._read_all)
        if content is not None and difference(content, entry) is None:
            self._read[path] = stamp, content
        else:
            self._read.pop(path, None)
        if stamp is not None and content is not None and self._storage.stamp(path) == stamp:
            # Other bytes than expected are kept too: they take the place of what was known.
            self._memory.put(_KIND, self._place(), _listed(path, stamp), content.sha256)
        return difference(content, entry)

    def flush(self) -> None:
        """Write down what was learnt, for later processes."""
        self._memory.flush()

    def _known(self, path: str, stamp: Stamp | None, entry: FileEntry) -> Content | None:
        before, content = self._read.get(path, (None, None))
        if content is not None and before == stamp:
            return content
        if stamp is None or self._read_all:
            return None
        sha256 = self._memory.get(_KIND, self._place(), _listed(path, stamp))
        return None if sha256 is None else Content(stamp.size, sha256)

    def _place(self) -> str:
        """One folder of one machine: homes, and caches in them, may be shared by many."""
        return f"{socket.gethostname()}:{os.path.realpath(self._storage.uri)}"


def _again(storage: Storage, read_all: bool) -> SoundFiles:
    return SoundFiles(storage, read_all=read_all)


def _listed(path: str, stamp: Stamp) -> FolderFile:
    return FolderFile(path, stamp.size, stamp.text if stamp.settled else "")
