"""The order in which a proposed question's options are shown.

Annotators put the right option first far more often than by chance; a model trained on
that would learn the letter. The order is drawn by the seed's id, so it can be drawn again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence


def shuffled(options: Sequence[str], seed: int, name: str) -> tuple[str, ...]:
    """The options in the order that ``seed`` (of the settings) and the seed's id draw."""
    order = list(options)
    random.Random(f"{seed}/{name}").shuffle(order)
    return tuple(order)
