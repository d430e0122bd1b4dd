"""Finds near-duplicate pictures and keeps them out of different splits.

Usage::

    near = NearDuplicates(config.near_duplicates)
    for key, seed in enumerate(seeds):               # keys: 0, 1, 2 ... as seeds are written
        for index in compared(len(seed.pictures), seed.is_video, config.near_duplicates):
            near.add(key, picture)                   # a PIL image, or its ``picture_hash``
    settled = settle(near.groups(), splits, fixed)   # splits[key], fixed[key]
    split = settled.moved.get(key, seed.split)       # unless key is in settled.left_out

Drawn scenes have their own, exact check: they look alike by design.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from PIL import Image

from pixel_core.config import IngestConfig
from pixel_core.config.near_duplicates import NearDuplicatesConfig
from pixel_core.data.sources.near_hashes import BYTES, VERSION, picture_hash
from pixel_core.data.sources.spool import Spool
from pixel_core.media.archive import PictureArchive
from pixel_core.records import Picture, Seed, Split
from pixel_core.workflow.stage import Progress
from pixel_core.workflow.store.stat_cache import FolderFile, FolderMemory

#: Keys whose pictures are near-duplicates, directly or through others. The first is the
#: group's representative: it has the smallest hash, so it does not depend on the order of
#: insertion. The others increase.
Group = tuple[int, ...]

#: Lowest first: among a group's stated splits the highest wins.
_ORDER = (Split.TRAIN, Split.VALIDATION, Split.TEST)


def compared(count: int, is_video: bool, config: NearDuplicatesConfig) -> tuple[int, ...]:
    """The 0-based indices of the pictures compared for a seed of ``count`` pictures: all of a
    picture seed, ``video_frames`` of a video, at the centres of equal parts."""
    if not is_video or count <= config.video_frames:
        return tuple(range(count))
    parts = config.video_frames
    return tuple((2 * part + 1) * count // (2 * parts) for part in range(parts))


class NearDuplicates:
    """Pictures by key; 40 bytes each until the groups are computed."""

    def __init__(self, config: NearDuplicatesConfig) -> None:
        self._config = config
        self._hashes = bytearray()
        self._keys = array("q")

    def add(self, key: int, picture: Image.Image | bytes) -> None:
        """``picture``: RGB and upright, or its ``picture_hash``. A key may have several.

        A picture of one uniform colour has no near-duplicates.
        """
        data = picture if isinstance(picture, bytes) else picture_hash(picture)
        if data is None:
            return
        if len(data) != BYTES:
            raise ValueError(f"a picture's hash has {BYTES} bytes, not {len(data)}")
        self._hashes += data
        self._keys.append(key)

    def groups(
        self, report: Callable[[int, int], None] = lambda done, total: None
    ) -> list[Group]:
        """All groups of two keys or more, by their smallest key.

        Two pictures are near when their hashes differ in at most ``distance`` bits; none is
        missed. ``report`` is called with the number of passes done and the total.
        """
        import numpy as np

        from pixel_core.data.sources.near_hashes import Components, near_components

        if not self._config.enabled or not self._keys:
            return []
        keys, entries = np.unique(np.array(self._keys), return_inverse=True)
        words = np.frombuffer(self._hashes, dtype=">u8").reshape(-1, BYTES // 8)
        # From the smallest hash to the largest; equal hashes are one node from here on.
        order = np.lexsort((entries, *words.T[::-1]))
        ordered = words[order].astype(np.uint64)
        new = np.ones(len(order), dtype=bool)
        new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
        rank = np.cumsum(new) - 1
        labels = near_components(ordered[new], self._config.distance, report)[rank]
        # Pictures of one key belong together: keys and labels are nodes of one graph.
        joined = Components(len(keys) + int(rank[-1]) + 1)
        joined.join(entries[order], len(keys) + labels)
        of_key = joined.labels[: len(keys)]
        first = np.full(len(keys), len(order))
        np.minimum.at(first, entries[order], np.arange(len(order)))
        by_group = np.lexsort((first, of_key))
        starts = np.flatnonzero(np.diff(of_key[by_group], prepend=-1))
        sizes = np.diff(starts, append=len(keys))
        groups: list[Group] = []
        for start, size in zip(starts[sizes > 1], sizes[sizes > 1], strict=True):
            head, *rest = keys[by_group[start : start + size]].tolist()
            groups.append((head, *sorted(rest)))
        return sorted(groups, key=min)


@dataclass(frozen=True)
class Settled:
    """How to keep near-duplicates in one split; seeds not named here stay as they are."""

    moved: dict[int, Split]
    left_out: frozenset[int]


def settle(
    groups: Iterable[Group], splits: Sequence[Split], fixed: Sequence[bool | int]
) -> Settled:
    """Choose one split for each group that spans several.

    It is the highest (test, then validation, then train) of the splits that are ``fixed``,
    i.e. stated by the source; else the representative's, which preserves the split shares.
    The group's other seeds move there; fixed ones are left out.
    """
    moved: dict[int, Split] = {}
    left_out: set[int] = set()
    for group in groups:
        if len({splits[key] for key in group}) == 1:
            continue
        stated = [splits[key] for key in group if fixed[key]]
        home = max(stated, key=_ORDER.index) if stated else splits[group[0]]
        for key in group:
            if splits[key] is home:
                continue
            if fixed[key]:
                left_out.add(key)
            else:
                moved[key] = home
    return Settled(moved, frozenset(left_out))


# Near-duplicates among ingested seeds, found from their stored pictures.


_BATCH = 256
_AT_HAND = 50_000
#: The cache key of hashes; another hash needs another key.
_KIND = f"picture_hash/{VERSION}"


def settled(spool: Spool, archive: Path, config: IngestConfig, progress: Progress) -> Settled:
    """Which seeds move to another split, and which are left out, because of a picture."""
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
    """Hashes of stored pictures: decoded on all cores, and cached across runs."""

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
        """By the pictures' SHA-256; b"" for one without near-duplicates."""
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
