"""Near-duplicate pictures among ingested seeds, told apart from their stored pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from pixel_core.config import IngestConfig
from pixel_core.data.sources.near_duplicates import NearDuplicates, Settled, compared, settle
from pixel_core.data.sources.picture_hash import VERSION, picture_hash
from pixel_core.data.sources.spool import Spool
from pixel_core.media.archive import PictureArchive
from pixel_core.records import Picture, Seed
from pixel_core.workflow.stage import Progress
from pixel_core.workflow.store.stat_cache import FolderFile, FolderMemory

_BATCH = 256
_AT_HAND = 50_000
#: What remembered hashes are filed under; another hash needs another name.
_KIND = f"picture_hash/{VERSION}"


def settled(spool: Spool, archive: Path, config: IngestConfig, progress: Progress) -> Settled:
    """Which seeds move to another split, and which are left out, for a picture's sake."""
    near_config = config.near_duplicates
    compares = near_config.enabled and set(config.sources) != {"drawn"}
    if not compares or not spool.has_several_splits():
        return Settled({}, frozenset())
    progress.note("looking for near-duplicate pictures in different splits")
    near = NearDuplicates(near_config)
    hashes = _Hashes(archive)
    with hashes:
        done = 0
        for batch in _batches(enumerate(spool.seeds())):
            shown = [
                (key, seed.pictures[index])
                for key, seed in batch
                if spool.source(key) != "drawn"
                for index in compared(len(seed.pictures), seed.is_video, near_config)
            ]
            of = hashes.of([picture for _, picture in shown])
            for key, picture in shown:
                if of[picture.sha256]:
                    near.add(key, of[picture.sha256])
            done += len(batch)
            progress.update(done, len(spool))
    splits = [spool.split(key) for key in range(len(spool))]
    return settle(near.groups(progress.update), splits, spool.fixed)


class _Hashes:
    """Hashes of stored pictures: decoded on all cores, and once, also by later runs."""

    def __init__(self, archive: Path) -> None:
        self._archive = PictureArchive(archive)
        self._memory = FolderMemory()
        self._pool = ThreadPoolExecutor(min(16, os.cpu_count() or 1))
        self._at_hand: dict[str, bytes] = {}

    def __enter__(self) -> _Hashes:
        return self

    def __exit__(self, *unused: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._memory.flush()
        self._archive.close()

    def of(self, pictures: Iterable[Picture]) -> dict[str, bytes]:
        """By the pictures' SHA-256; b"" for one that is near to nothing."""
        wanted = {picture.sha256: picture for picture in pictures}
        if len(self._at_hand) > _AT_HAND:
            self._at_hand.clear()
        unknown = [digest for digest in wanted if digest not in self._at_hand]
        found = self._pool.map(self._hash, (wanted[digest] for digest in unknown))
        self._at_hand.update(zip(unknown, found, strict=True))
        return {digest: self._at_hand[digest] for digest in wanted}

    def _hash(self, picture: Picture) -> bytes:
        listed = FolderFile(picture.sha256, 0, picture.sha256)
        if (known := self._memory.get(_KIND, "sha256", listed)) is not None:
            return bytes.fromhex(known)
        found = picture_hash(self._archive.load(picture)) or b""
        self._memory.put(_KIND, "sha256", listed, found.hex())
        return found


def _batches(items: Iterable[tuple[int, Seed]]) -> Iterator[list[tuple[int, Seed]]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
