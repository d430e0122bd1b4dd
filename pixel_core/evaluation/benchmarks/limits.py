"""Which questions a ``limit`` takes."""

from __future__ import annotations

from collections.abc import Mapping


def shares(limit: int, kinds: Mapping[str, int]) -> dict[str, int]:
    """``limit`` divided over kinds in proportion to their counts, by largest remainders.

    Without it a small limit would ask MVBench's first task alone. No kind gets more than it
    has; a tie goes to the kind that stands first.
    """
    total = sum(kinds.values())
    limit = min(limit, total)
    exact = {kind: limit * count / (total or 1) for kind, count in kinds.items()}
    found = {kind: int(share) for kind, share in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: found[kind] - exact[kind])
    for kind in by_remainder[: limit - sum(found.values())]:
        found[kind] += 1
    return found
