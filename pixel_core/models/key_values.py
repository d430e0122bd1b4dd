"""Keys and values of token sequences that grow, part and end side by side.

Legend: l layer, n sequence in use, h key-value head, s cached token, d width of a head.

A sequence lives in a slot, without holes; slots 0 to n are the ones in use, so that all of
them are read as one block. Sequences that part (two rollouts that say different words) are
forked when they do, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Kept:
    """One sequence taken out of its slot: (l, 2, h, s, d)."""

    values: Tensor

    def __len__(self) -> int:
        return self.values.shape[3]


class KeyValues:
    """``lengths_n``: tokens cached of each sequence in use."""

    def __init__(self, stored: Tensor, lengths_n: np.ndarray) -> None:
        #: (l, 2, slot, h, s, d). Never uninitialised: what is masked is still multiplied.
        self.stored = stored
        self.lengths_n = lengths_n

    @classmethod
    def of(
        cls, kept: Sequence[Kept | None], room: int, like: Tensor, shape: tuple[int, int, int]
    ) -> KeyValues:
        """A slot a sequence, each with space for ``room`` tokens; None is an empty one.

        ``shape``: layers, key-value heads, width of a head.
        """
        layers, heads, width = shape
        stored = like.new_zeros((layers, 2, len(kept), heads, room, width))
        for slot, one in enumerate(kept):
            if one is not None:
                stored[:, :, slot, :, : len(one)] = one.values
        lengths = [0 if one is None else len(one) for one in kept]
        return cls(stored, np.array(lengths, np.int64))

    @property
    def room(self) -> int:
        return self.stored.shape[4]

    def keep(self, slot: int) -> Kept:
        """A copy of the sequence in ``slot``, which outlives the slot."""
        return Kept(self.stored[:, :, slot, :, : int(self.lengths_n[slot])].clone())

    def branch(self, parent_n: np.ndarray) -> np.ndarray:
        """Sequences that go on from the present ones: ``parent_n``, ascending, says which.

        Returns the slot of each. A parent's first child stays where it is if it can; the
        others are copied to slots that are free by then; childless parents are dropped.
        """
        count = len(parent_n)
        first = np.concatenate(([True], parent_n[1:] != parent_n[:-1]))
        stays = first & (parent_n < count)
        if stays.all():
            self.lengths_n = self.lengths_n[:count]
            return parent_n
        slot_n = parent_n.copy()
        free = np.ones(count, bool)
        free[parent_n[stays]] = False
        slot_n[~stays] = np.flatnonzero(free)
        lengths = np.empty(count, np.int64)
        lengths[slot_n] = self.lengths_n[parent_n]
        source, target = parent_n[~stays], slot_n[~stays]
        used = int(self.lengths_n[source].max())
        self._grow(count)
        # No source is a target: a slot below ``count`` with children keeps one of them.
        self.stored[:, :, target, :, :used] = self.stored[:, :, source, :, :used]
        self.lengths_n = lengths
        return slot_n

    def _grow(self, count: int) -> None:
        slots = self.stored.shape[2]
        if count > slots:
            more = list(self.stored.shape)
            more[2] = max(count, 2 * slots) - slots
            self.stored = torch.cat((self.stored, self.stored.new_zeros(more)), 2)
