"""Rotary positions of Qwen2.5-VL for text and pictures (no video, one frame a picture).

Equal to transformers' ``get_rope_index``, from the sizes we know instead of a search for
placeholders: text counts up in all three rows; a picture's tokens share the temporal row
and spread over height and width; the text after it goes on from the larger side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pixel_core.media.budget import FACTOR
from pixel_core.rollout.transcript import Visual


def positions(
    tokens: Sequence[int], visuals: Sequence[Visual], placeholder: int
) -> tuple[np.ndarray, int]:
    """Positions int64 (3, t) and the next free position."""
    ids = np.asarray(tokens)
    out = np.empty((3, len(ids)), np.int64)
    at = position = 0
    starts = np.flatnonzero(ids == placeholder)
    taken = 0
    for visual in visuals:
        start = int(starts[taken])
        text = start - at
        out[:, at:start] = np.arange(position, position + text)
        position += text
        columns, rows = visual.size[0] // FACTOR, visual.size[1] // FACTOR
        end = start + rows * columns
        out[0, start:end] = position
        out[1, start:end] = position + np.repeat(np.arange(rows), columns)
        out[2, start:end] = position + np.tile(np.arange(columns), rows)
        position += max(rows, columns)
        at, taken = end, taken + rows * columns
    if taken != len(starts):
        raise ValueError(f"{len(starts)} picture tokens, but the pictures have {taken}")
    rest = len(ids) - at
    out[:, at:] = np.arange(position, position + rest)
    return out, position + rest
