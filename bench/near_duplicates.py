"""Near-duplicates among many picture hashes: time, memory, and whether any pair is missed.

    python -m bench.near_duplicates [--hashes 100000] [--repeats 3] [--json]

Hashes are random but for one in fifty, which is another with as many bits changed as the
setting allows, or fewer. Times are CPU seconds of one thread, so that others at work on the
machine do not count. Memory is the peak above what the process had with the hashes made.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from PIL import Image

from bench.measure import Figure, Times, arguments, tell
from pixel_core.config.near_duplicates import NearDuplicatesConfig
from pixel_core.data.sources.near_duplicates import NearDuplicates
from pixel_core.data.sources.near_hashes import BYTES, picture_hash

#: One hash in this many is near another.
_RARITY = 50


def measure(asked: argparse.Namespace) -> list[Figure]:
    config = NearDuplicatesConfig()
    planted = asked.hashes // _RARITY
    made = _hashes(asked.hashes, planted, config.distance)
    before = _peak_mib()
    adding: list[float] = []
    finding: list[float] = []
    found: set[frozenset[int]] = set()
    for _ in range(asked.repeats):
        near = NearDuplicates(config)
        started = time.process_time()
        for key in range(asked.hashes):
            near.add(key, made[BYTES * key : BYTES * (key + 1)])
        added = time.process_time()
        found = {frozenset(group) for group in near.groups()}
        adding.append(added - started)
        finding.append(time.process_time() - added)
    pairs = {frozenset((key, asked.hashes - 1 - key)) for key in range(planted)}
    photo = Image.effect_noise((1600, 1200), 60).convert("RGB")
    started = time.process_time()
    for _ in range(20):
        picture_hash(photo)
    hashing = (time.process_time() - started) / 20
    note = f"{asked.hashes:,} hashes, distance {config.distance}; CPU seconds, one thread"
    return [
        Times(tuple(finding)).each("near-duplicate groups", unit="s", note=note),
        Times(tuple(adding)).rate("hashes added", asked.hashes, "a second"),
        Figure("planted pairs found", 100 * len(found & pairs) / planted, "%"),
        Figure("memory it took", _peak_mib() - before, "MiB", note="peak, hashes included"),
        Figure("a picture's hash", 1000 * hashing, "ms", note="1600 x 1200, decoded"),
    ]


def _hashes(count: int, planted: int, distance: int) -> bytes:
    """The last ``planted`` hashes are the first ones, in reverse order, with bits changed."""
    dice = np.random.default_rng(0)
    bits = dice.integers(0, 2, (planted, 8 * BYTES), dtype=np.uint8)
    copies = bits.copy()
    for row in copies:
        row[dice.choice(8 * BYTES, dice.integers(0, distance + 1), replace=False)] ^= 1
    others = dice.bytes(BYTES * (count - 2 * planted))
    return np.packbits(bits).tobytes() + others + np.packbits(copies[::-1]).tobytes()


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=3)
    options.add_argument("--hashes", type=int, default=100_000, help="how many")
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    tell(given, measure(given))
