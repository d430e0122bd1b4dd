"""Sequences in slots: whatever parts, ends and grows, each keeps its own tokens."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.models.key_values import KeyValues

ROOM = 12
SHAPE = (2, 3, 1)  # layers, heads, width


def write(cache: KeyValues, slot: int, token: float) -> None:
    cache.stored[:, :, slot, :, int(cache.lengths_n[slot])] = token
    cache.lengths_n = cache.lengths_n.copy()
    cache.lengths_n[slot] += 1


def read(cache: KeyValues, slot: int) -> list[float]:
    values = cache.keep(slot).values
    assert torch.equal(values, values[:1, :1, :1].expand_as(values))
    return values[0, 0, 0, :, 0].tolist()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_branches_carry_on_what_their_parents_had(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 5))
    cache = KeyValues.of([None] * count, ROOM, torch.zeros(1), SHAPE)
    sequences: list[list[float]] = [[] for _ in range(count)]
    word = 1.0
    for slot in range(count):  # unequal lengths
        for _ in range(data.draw(st.integers(1, 4))):
            write(cache, slot, word)
            sequences[slot].append(word)
            word += 1
    for _ in range(data.draw(st.integers(1, 6))):
        parents = data.draw(
            st.lists(st.integers(0, len(sequences) - 1), min_size=1, max_size=9).map(sorted)
        )
        slots = cache.branch(np.array(parents))
        assert sorted(slots.tolist()) == list(range(len(parents)))
        after: list[list[float]] = [[]] * len(parents)
        for parent, slot in zip(parents, slots.tolist(), strict=True):
            after[slot] = [*sequences[parent], word]
            write(cache, slot, word)
            word += 1
        sequences = after
        assert [read(cache, slot) for slot in range(len(sequences))] == sequences


def test_kept_sequences_outlive_their_slots() -> None:
    cache = KeyValues.of([None, None], ROOM, torch.zeros(1), SHAPE)
    write(cache, 0, 1.0)
    write(cache, 1, 2.0)
    kept = cache.keep(1)
    cache.branch(np.array([0, 0, 0]))
    write(cache, 1, 9.0)
    again = KeyValues.of([None, kept, kept], 2 * ROOM, torch.zeros(1), SHAPE)
    assert again.lengths_n.tolist() == [0, 1, 1]
    assert read(again, 2) == [2.0]
    assert again.room == 2 * ROOM
