"""Splits of records that share pictures: what must hold for any of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.config import SplitShares
from pixel_core.data.sources.splits import SPLITS, ConflictingPair, SplitBook
from pixel_core.records import Split


@dataclass(frozen=True)
class Placed:
    """A record as the splits are settled: ``split`` is None when it names none."""

    id: str
    pictures: tuple[str, ...]
    split: Split | None


def settled(
    records: list[Placed], shares: SplitShares
) -> tuple[list[Split], list[ConflictingPair]]:
    with SplitBook(shares) as book:
        for number, item in enumerate(records):
            digests = [hashlib.sha256(name.encode()).hexdigest() for name in item.pictures]
            book.add(item.id, f"line {number}", digests, item.split)
        splits, conflicts = book.settle()
    return [SPLITS[number] for number in splits], conflicts


ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
pictures = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=2).map(tuple)
placed = st.builds(Placed, id=ids, pictures=pictures, split=st.none())
named = st.builds(Placed, id=ids, pictures=pictures, split=st.none() | st.sampled_from(SPLITS))


@settings(deadline=None)  # the first example imports scipy
@given(st.lists(placed, unique_by=lambda p: p.id, max_size=20), st.randoms())
def test_unnamed_splits_ignore_order_and_keep_pictures_together(
    records: list[Placed], rng: Any
) -> None:
    shares = SplitShares(validation=0.3, test=0.3)
    splits, conflicts = settled(records, shares)
    assert not conflicts
    place: dict[str, str] = {}
    for item, split in zip(records, splits, strict=True):
        for name in item.pictures:
            assert place.setdefault(name, split) == split
    shuffled = list(records)
    rng.shuffle(shuffled)
    assert dict(zip((r.id for r in shuffled), settled(shuffled, shares)[0], strict=True)) == {
        r.id: split for r, split in zip(records, splits, strict=True)
    }


@settings(deadline=None)  # the first example imports scipy
@given(st.lists(named, unique_by=lambda p: p.id, max_size=20))
def test_a_named_split_draws_what_shares_pictures_with_it(records: list[Placed]) -> None:
    splits, conflicts = settled(records, SplitShares())
    place: dict[str, Split] = {}
    for item, split in zip(records, splits, strict=True):
        assert item.split in (None, split)
        if not conflicts:
            assert all(place.setdefault(name, split) == split for name in item.pictures)
    for pair in conflicts:
        assert None is not records[pair.first].split != records[pair.second].split is not None


@settings(deadline=None)  # the first example imports scipy
@given(st.lists(st.sampled_from(["a", "b", "a\0", "é", "ab"]), max_size=9))
def test_doubles_are_the_ids_seen_before(names: list[str]) -> None:
    with SplitBook(SplitShares()) as book:
        for number, name in enumerate(names):
            book.add(name, f"line {number}", (), None)
        found = [(pair.first, pair.second) for pair in book.doubles()]
        assert [(book.id(n), book.place(n)) for n in range(len(names))] == [
            (name, f"line {number}") for number, name in enumerate(names)
        ]
    firsts = [names.index(name) for name in names]
    assert found == [(first, n) for n, first in enumerate(firsts) if first != n]


def test_unnamed_splits_come_near_their_shares() -> None:
    records = [Placed(f"id{n}", (f"p{n}",), None) for n in range(4000)]
    splits, _ = settled(records, SplitShares(validation=0.1, test=0.2))
    counts = {split: splits.count(split) / 4000 for split in set(splits)}
    # Binomial with n = 4000: three standard errors are under 0.02.
    assert abs(counts["test"] - 0.2) < 0.02
    assert abs(counts["validation"] - 0.1) < 0.02
