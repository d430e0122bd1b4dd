"""The seeds of all sources on disk, on their way to ``seeds.jsonl``.

Splits can be settled only when all seeds are known. Memory per seed: two bytes, and eight for
its id's digest.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from pathlib import Path

from pixel_core.config import SourceName
from pixel_core.data.faults import SHOWN
from pixel_core.data.sources.source import FoundSeed
from pixel_core.errors import DataError
from pixel_core.records import Seed, Split

_SPLITS = tuple(Split)


class Spool:
    """Written once, then readable any number of times in the same order. The file is removed
    at the end of the ``with`` block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fixed = bytearray()
        self._splits = bytearray()
        self._ids = array("Q")
        #: The first key of each source's seeds.
        self._begins: list[tuple[SourceName, int]] = []
        self._out = path.open("w", encoding="utf-8")

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *unused: object) -> None:
        self._out.close()
        self.path.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self.fixed)

    def begin(self, source: SourceName) -> None:
        self._begins.append((source, len(self)))

    def add(self, found: FoundSeed) -> None:
        seed = found.seed
        self._out.write(seed.model_dump_json() + "\n")
        self.fixed.append(found.fixed)
        self._splits.append(_SPLITS.index(seed.split))
        self._ids.append(_digest(seed.id))

    def split(self, key: int) -> Split:
        return _SPLITS[self._splits[key]]

    def has_several_splits(self) -> bool:
        return len(set(self._splits)) > 1

    def source(self, key: int) -> SourceName:
        return next(name for name, start in reversed(self._begins) if start <= key)

    def lines(self) -> Iterator[str]:
        """The seeds as lines of ``seeds.jsonl``."""
        self._out.flush()
        with self.path.open(encoding="utf-8") as lines:
            yield from lines

    def seeds(self) -> Iterator[Seed]:
        return map(Seed.model_validate_json, self.lines())

    def new_ids(self) -> dict[int, str]:
        """New ids for seeds whose id an earlier source has: prefixed by the source's name.

        Raises ``DataError`` if a source has an id twice, an imported seed's id is taken, or the
        prefixed id is taken too.
        """
        suspects = self._suspects()
        if not suspects:
            return {}
        firsts: dict[str, int] = {}
        renamed: dict[int, str] = {}
        clashes: list[str] = []
        for key, seed in enumerate(self.seeds()):
            if key not in suspects:
                continue
            first = firsts.setdefault(seed.id, key)
            if first == key:
                continue
            name = f"{self.source(key)}-{seed.id}"
            # Imported trajectories refer to their seeds by id: those keep their ids.
            kept = self.source(key) in (self.source(first), "imported")
            if kept or _digest(name) in self._ids or name in renamed.values():
                clashes.append(seed.id)
            renamed[key] = name
        if clashes:
            shown = ", ".join(repr(id) for id in clashes[:SHOWN])
            more = f" and {len(clashes) - SHOWN} more" if len(clashes) > SHOWN else ""
            raise DataError(
                f"{len(clashes)} seed ids are used twice: {shown}{more}; give each record an "
                "id of its own"
            )
        return renamed

    def _suspects(self) -> set[int]:
        """Keys whose id digest is not unique."""
        import numpy as np

        digests = np.frombuffer(self._ids, np.uint64)
        order = np.argsort(digests, kind="stable")
        equal = digests[order][1:] == digests[order][:-1]
        twice = np.flatnonzero(equal)
        return set(order[twice].tolist()) | set(order[twice + 1].tolist())


def _digest(id: str) -> int:
    return int.from_bytes(hashlib.sha256(id.encode()).digest()[:8], "little")
