"""Reads the digit on a card, at whatever size it has."""

from __future__ import annotations

import numpy as np

from pixel_core.config import WorldConfig
from pixel_core.tiny.draw import indices
from pixel_core.tiny.scene import GLYPH_HEIGHT, GLYPH_WIDTH, Card, Scene, World

#: Least pixels per glyph dot: two dots that share a pixel can't be told apart.
SMALLEST_DOT = 1.25

#: Least correlation with a glyph's dots for a match, and least lead over the next digit; a
#: blurred glyph resembles many.
_LIKENESS, _LEAD = 0.75, 0.06

#: Search range around the glyph's rough place, and around its height, in pixels.
_SHIFTS = np.array([-0.7, -0.35, 0.0, 0.35, 0.7])

_DIGITS = tuple("0123456789")


def _dots(digit: str) -> np.ndarray:
    """The glyph as the world draws it at one pixel a dot, float (7, 5)."""
    config = WorldConfig(
        side=GLYPH_HEIGHT, grid=1, card=GLYPH_HEIGHT, jitter=0, small_glyph=1, big_glyph=1,
        min_cards=1, max_cards=1,
    )  # fmt: skip
    card = Card(cell=0, x=0, y=0, colour="red", digit=digit, big=False)
    pixels = indices(Scene((card,), World(config)))
    left = (GLYPH_HEIGHT - GLYPH_WIDTH) // 2
    # Ink is the last of the picture's colours.
    return (pixels == pixels.max())[:, left : left + GLYPH_WIDTH].astype(np.float64)


_DOTS = np.stack([_dots(digit) for digit in _DIGITS])
#: The first inked column of each digit.
_FIRST = _DOTS.any(axis=1).argmax(axis=1)


def read_digit(ink: np.ndarray) -> str | None:
    """The digit in a map of ink, float (height, width) from 0 to 1; None if not readable."""
    found = _extent(ink)
    if found is None:
        return None
    top, left, height = found
    if height / GLYPH_HEIGHT < SMALLEST_DOT:
        return None
    heights, tops, lefts = (
        axis.ravel()
        for axis in np.meshgrid(height + _SHIFTS, top + _SHIFTS, left + _SHIFTS, indexing="ij")
    )
    scores = np.empty(len(_DIGITS))
    for first in set(_FIRST.tolist()):
        means = _dot_means(ink, heights, tops, lefts, first)
        for index in np.flatnonzero(first == _FIRST):
            scores[index] = _likeness(means, _DOTS[index])
    second, best = np.argsort(scores)[-2:]
    if scores[best] < _LIKENESS or scores[best] - scores[second] < _LEAD:
        return None
    return _DIGITS[best]


def _extent(ink: np.ndarray) -> tuple[float, float, float] | None:
    """Top, left and height of the inked area; None for a blank card."""
    dark = ink > 0.5
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    if not len(rows):
        return None
    return float(rows[0]), float(columns[0]), float(rows[-1] + 1 - rows[0])


def _dot_means(
    ink: np.ndarray, heights: np.ndarray, tops: np.ndarray, lefts: np.ndarray, first: int
) -> np.ndarray:
    """Mean ink of each dot, (candidates, 7, 5), for a glyph of that height and place."""
    sums = np.zeros((ink.shape[0] + 1, ink.shape[1] + 1))
    sums[1:, 1:] = ink.cumsum(0).cumsum(1)
    dot = (heights / GLYPH_HEIGHT)[:, None]
    ys = tops[:, None] + dot * np.arange(GLYPH_HEIGHT + 1)
    xs = lefts[:, None] + dot * (np.arange(GLYPH_WIDTH + 1) - first)
    corners = _between(sums, ys[:, :, None], xs[:, None, :])
    return np.diff(np.diff(corners, axis=1), axis=2) / dot[:, :, None] ** 2


def _between(sums: np.ndarray, ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
    """The table of sums at fractional positions, bilinear; clamped at its edges."""
    y = np.clip(ys, 0, sums.shape[0] - 1)
    x = np.clip(xs, 0, sums.shape[1] - 1)
    y0 = np.minimum(y.astype(int), sums.shape[0] - 2)
    x0 = np.minimum(x.astype(int), sums.shape[1] - 2)
    fy, fx = y - y0, x - x0
    upper = sums[y0, x0] * (1 - fx) + sums[y0, x0 + 1] * fx
    lower = sums[y0 + 1, x0] * (1 - fx) + sums[y0 + 1, x0 + 1] * fx
    return upper * (1 - fy) + lower * fy


def _likeness(means: np.ndarray, glyph: np.ndarray) -> float:
    """The best correlation of any candidate with the glyph's dots."""
    given = means.reshape(len(means), -1)
    given = given - given.mean(axis=1, keepdims=True)
    wanted = glyph.ravel() - glyph.mean()
    norm = np.linalg.norm(given, axis=1) * np.linalg.norm(wanted)
    return float((given @ wanted / np.maximum(norm, 1e-9)).max())
