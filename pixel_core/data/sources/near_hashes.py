"""Joins hashes within a Hamming distance of each other: exact, and near linear in time.

Cut the bits into ``distance + take`` parts: two hashes that differ in at most ``distance``
bits are equal in at least ``take`` parts (the pigeonhole principle). So for each choice of
``take`` parts, the hashes are sorted by those bits alone, and only those that agree there are
compared in full.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# A picture as 256 bits that hardly change when it is re-encoded or resized.
#
# The perceptual hash of ``imagehash`` (signs of the lowest 16 x 16 frequencies against their
# median), of 256 bits: with the usual 64, different pages of text are as near to each other
# as a page is to its own cropped copy.


#: Raised when pictures get other hashes than before: cached ones are then void.
VERSION = 2

SIDE = 16  #: frequencies a side
BYTES = SIDE * SIDE // 8

#: Standard deviation, in grey levels of 255, below which a picture has no features: blank
#: pages and black frames, whose hash would be that of their noise.
_FLAT = 1.0


def picture_hash(image: Image.Image) -> bytes | None:
    """The hash, 32 bytes; None for a picture of one uniform colour.

    ``image``: RGB, upright. Size, encoding, brightness and contrast hardly change the hash; a
    mirrored or rotated picture, or one cropped by over a hundredth per side, gets another.
    """
    import imagehash
    import numpy as np

    # Shrunk in two steps, a box filter first: seven times as fast on two megapixels, and as
    # good at recognising copies.
    small = image.convert("L").resize(
        (4 * SIDE, 4 * SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0
    )
    if np.asarray(small).std() < _FLAT:
        return None
    return np.packbits(imagehash.phash(small, hash_size=SIDE).hash).tobytes()


Words = NDArray[np.uint64]
Indices = NDArray[np.int64]

#: Buckets up to this size are compared pairwise, all of them at once.
_SMALL = 32
#: Pairs compared at a time: about 100 bytes each.
_PAIRS = 500_000

#: Odd numbers without pattern, one per word: binary digits of the golden ratio and kin.
_MIXERS = np.array(
    [0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93],
    dtype=np.uint64,
)


class Components:
    """Connected components of a growing graph; ``labels`` names each by its smallest node."""

    def __init__(self, count: int) -> None:
        self.labels: Indices = np.arange(count, dtype=np.int64)

    def join(self, first: Indices, second: Indices) -> None:
        """Add the edges (first[i], second[i])."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        one, other = self.labels[first], self.labels[second]
        apart = one != other
        if not apart.any():
            return
        ends = np.concatenate([one[apart], other[apart]])
        nodes, at = np.unique(ends, return_inverse=True)
        rows, columns = at[: len(at) // 2], at[len(at) // 2 :]
        edges = coo_array((np.ones(len(rows), dtype=bool), (rows, columns)), (len(nodes),) * 2)
        _, part = connected_components(edges, directed=False)
        smallest = np.full(part.max() + 1, len(self.labels))
        np.minimum.at(smallest, part, nodes)
        renamed = np.arange(len(self.labels))
        renamed[nodes] = smallest[part]
        self.labels = renamed[self.labels]


def near_components(words: Words, distance: int, report: Callable[[int, int], None]) -> Indices:
    """A label for each distinct hash in ``words`` (count, words of 64 bits). Labels are equal
    if a chain of hashes connects two, each step within ``distance`` bits. ``report`` is
    called with the passes done and their total."""
    count, width = words.shape
    found = Components(count)
    if count < 2 or distance == 0:
        return found.labels
    take = _best_take(count, 64 * width, distance)
    parts = _parts(64 * width, distance + take)
    total = math.comb(len(parts), take)
    for done, chosen in enumerate(combinations(parts, take), 1):
        mask = np.bitwise_or.reduce(np.array(chosen), axis=0)
        _join_agreeing(words, mask, distance, found)
        report(done, total)
    return found.labels


def _best_take(count: int, bits: int, distance: int) -> int:
    """The cheapest ``take``. More parts mean more passes, each with fewer chance pairs.
    Measured once: 60 ns to sort an entry, 60 ns to compare a pair."""

    def cost(take: int) -> float:
        chance = count * count / 2 / 2 ** (bits * take / (distance + take))
        return math.comb(distance + take, take) * (count + chance)

    return min((1, 2, 3), key=cost)


def _parts(bits: int, count: int) -> list[Words]:
    """Masks over the words. A part takes every ``count``-th bit, because neighbouring bits
    depend on one another."""
    parts = []
    for part in range(count):
        own = np.zeros(bits, dtype=np.uint8)
        own[part::count] = 1
        parts.append(np.packbits(own).view(np.uint64))
    return parts


def _join_agreeing(words: Words, mask: Words, distance: int, found: Components) -> None:
    """One pass: compare the hashes that agree in the masked bits."""
    count = len(words)
    index_bits = np.uint64(count.bit_length())
    mixed = np.zeros(count, dtype=np.uint64)
    for column in np.flatnonzero(mask):
        mixed += (words[:, column] & mask[column]) * _MIXERS[column % len(_MIXERS)]
    mixed ^= mixed >> np.uint64(32)
    mixed *= _MIXERS[0]
    # A code in the high bits, the index in the low ones: sorted as plain numbers. Codes of
    # different bits may collide; the full comparison separates them.
    packed = mixed >> index_bits << index_bits | np.arange(count, dtype=np.uint64)
    packed.sort()
    codes = packed >> index_bits
    members = (packed & ((np.uint64(1) << index_bits) - np.uint64(1))).astype(np.int64)
    starts = np.flatnonzero(codes[1:] == codes[:-1])
    if not len(starts):
        return
    sizes = _bucket_sizes(codes)
    small = starts[sizes[starts] <= _SMALL]
    offset = 1
    while len(small):
        for cut in range(0, len(small), _PAIRS):
            some = small[cut : cut + _PAIRS]
            _join_near(words, members[some], members[some + offset], distance, found)
        offset += 1
        small = small[small + offset < count]
        small = small[codes[small] == codes[small + offset]]
    large = starts[sizes[starts] > _SMALL]
    while len(large):
        size = int(sizes[large[0]])
        _join_bucket(words, members[large[0] : large[0] + size], distance, found)
        large = large[size - 1 :]


def _bucket_sizes(codes: Words) -> Indices:
    """For each position the length of its run of equal codes."""
    begins = np.flatnonzero(np.diff(codes, prepend=codes[:1] + np.uint64(1)))
    lengths = np.diff(begins, append=len(codes))
    return np.repeat(lengths, lengths)


def _join_near(
    words: Words, one: Indices, other: Indices, distance: int, found: Components
) -> None:
    apart = found.labels[one] != found.labels[other]
    one, other = one[apart], other[apart]
    near = _distances(words[one], words[other]) <= distance
    found.join(one[near], other[near])


def _join_bucket(words: Words, members: Indices, distance: int, found: Components) -> None:
    """A large bucket of look-alikes. Each found hash is compared only with those not found."""
    labels = found.labels[members]
    if (labels == labels[0]).all():
        return
    rest = members
    while len(rest):
        reached, rest = [rest[0]], rest[1:]
        while reached and len(rest):
            centre = reached.pop()
            near = _distances(words[rest], words[centre]) <= distance
            if near.any():
                found.join(np.full(int(near.sum()), centre), rest[near])
                reached.extend(rest[near])
                rest = rest[~near]


def _distances(one: Words, other: Words) -> NDArray[Any]:
    return np.bitwise_count(one ^ other).sum(axis=1, dtype=np.int64)
