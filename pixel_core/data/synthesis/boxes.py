"""Boxes for trajectories in the model's units: right, wrong, and far too large.

All arithmetic is exact. A box is an interval of whole *ticks* on each axis: pixels of the
picture as shown, or thousandths of its sides. The region that a tick interval crops follows
``vision.operations.zoom``: scaled, padded, rounded outward, clamped.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from pixel_core.config import DialogueConfig
from pixel_core.media.budget import MAX_ASPECT_RATIO, fit
from pixel_core.records import Box

#: Steps of a normalised coordinate: a model writes three decimals.
THOUSANDTHS = 1000

#: Limit of the aspect ratio: half of what the operation allows, because rounding adds to it.
_LONGEST = MAX_ASPECT_RATIO / 2

#: Sizes tried for a wrong box, as shares of the right one's sides; then the least size.
_SHRINKING = (1.0, 0.75, 0.5)


#: Draws of a too-large box's position.
_ATTEMPTS = 8


@dataclass(frozen=True)
class TickRange:
    """Whole ticks, ``low`` < ``high``."""

    low: int
    high: int

    @property
    def length(self) -> int:
        return self.high - self.low

    def contains(self, other: TickRange) -> bool:
        return self.low <= other.low and other.high <= self.high


@dataclass(frozen=True)
class TickBox:
    """A box as the model writes it, in ticks."""

    x: TickRange
    y: TickRange


@dataclass(frozen=True)
class Axis:
    """One side of a picture: ``source`` pixels, written in ``ticks`` steps."""

    source: int
    ticks: int
    #: Share of the side that execution adds at both ends.
    padding: Fraction
    #: Pixels of the original that a box spans at least (before padding).
    least: int

    @cached_property
    def least_ticks(self) -> int:
        return min(self.ticks, -(-self.least * self.ticks // self.source))

    def cover(self, start: int, stop: int) -> TickRange:
        """The smallest tick interval that contains pixels ``start`` to ``stop``."""
        return TickRange(
            start * self.ticks // self.source, -(-stop * self.ticks // self.source)
        )

    def executed(self, interval: TickRange, *, padded: bool = True) -> tuple[int, int]:
        """The pixels that a tick interval crops."""
        above, below = self.padding.as_integer_ratio() if padded else (0, 1)
        scale = self.ticks * below
        start = (interval.low * below - above * self.ticks) * self.source // scale
        stop = -(-(interval.high * below + above * self.ticks) * self.source // scale)
        return max(0, start), min(self.source, stop)

    def clear_of(self, start: int, stop: int, length: int) -> tuple[int, int]:
        """Where an interval of ``length`` ticks misses pixels ``start`` to ``stop``.

        Returns (before, after): it misses if its low tick is at most ``before`` or at least
        ``after``, padding included.
        """
        before = math.floor(
            Fraction(start * self.ticks, self.source) - self.padding * self.ticks
        )
        after = math.ceil(Fraction(stop * self.ticks, self.source) + self.padding * self.ticks)
        return before - length, after

    def around(self, start: int, stop: int, margin: float, least: int) -> TickRange:
        """Pixels with a margin on both sides, at least ``least`` wide if there is room."""
        extra = max(math.ceil(margin * (stop - start)), -(-(least - (stop - start)) // 2), 0)
        low, high = max(0, start - extra), min(self.source, stop + extra)
        if high - low < least:  # cut by an edge: extend the other side
            low, high = max(0, high - least), min(self.source, low + least)
        return self.cover(low, high)


@dataclass(frozen=True)
class Plane:
    """A picture as a coordinate system for boxes."""

    x: Axis
    y: Axis
    normalized: bool
    min_side: int

    @classmethod
    def of(cls, width: int, height: int, dialogue: DialogueConfig) -> Plane:
        """The plane of a query's picture. ``MediaError`` if it can't be shown."""
        normalized = dialogue.zoom.coordinates == "normalized"
        ticks = (
            (THOUSANDTHS, THOUSANDTHS) if normalized else fit(width, height, dialogue.picture)
        )
        padding = Fraction(repr(dialogue.zoom.padding))
        least = dialogue.zoom.min_side + 1
        return cls(
            Axis(width, ticks[0], padding, least),
            Axis(height, ticks[1], padding, least),
            normalized,
            dialogue.zoom.min_side,
        )

    def written(self, box: TickBox) -> tuple[float, float, float, float]:
        """The coordinates of a call: integers of the shown picture, or fractions of it."""
        ticks = (box.x.low, box.y.low, box.x.high, box.y.high)
        if not self.normalized:
            return ticks
        x1, y1, x2, y2 = (tick / THOUSANDTHS for tick in ticks)
        return x1, y1, x2, y2

    def executed(self, box: TickBox, *, padded: bool = True) -> Box:
        """The region of the picture that a call with this box crops."""
        x1, x2 = self.x.executed(box.x, padded=padded)
        y1, y2 = self.y.executed(box.y, padded=padded)
        return Box(x1=x1, y1=y1, x2=x2, y2=y2)

    def accepts(self, box: TickBox) -> bool:
        """Whether the zoom operation would execute this box."""
        x1, x2 = self.x.executed(box.x)
        y1, y2 = self.y.executed(box.y)
        short, long = sorted((x2 - x1, y2 - y1))
        return short > self.min_side and long <= MAX_ASPECT_RATIO * short


def right_box(plane: Plane, cue: Box, margin: float) -> TickBox | None:
    """The cue with a margin (a share of its sides); None if it can't be zoomed into.

    Widened if the operation would refuse it: below the least side, or a thin strip.
    """
    longest = max(cue.x2 - cue.x1, cue.y2 - cue.y1) * (1 + 2 * margin)
    least = max(plane.min_side + 1, math.ceil(longest / _LONGEST))
    box = TickBox(
        plane.x.around(cue.x1, cue.x2, margin, least),
        plane.y.around(cue.y1, cue.y2, margin, least),
    )
    return box if plane.accepts(box) else None


def wrong_box(plane: Plane, cue: Box, like: TickBox, rng: random.Random) -> TickBox | None:
    """A box about the size of ``like`` whose crop, padding included, misses the cue.

    Uniform over all such positions; smaller if the full size has none. None if there is no
    such position at all.
    """
    grown = rng.uniform(0.8, 1.25)
    for scale in (*_SHRINKING, 0.0):
        width = _length(plane.x, like.x.length * grown * scale)
        height = _length(plane.y, like.y.length * grown * scale)
        box = _missing(plane, cue, width, height, rng)
        if box is not None and plane.accepts(box):
            return box
    return None


def too_large_box(
    plane: Plane, cue: Box, right: TickBox, times: float, rng: random.Random
) -> TickBox | None:
    """A box around ``right`` that covers at least ``times`` the cue's area.

    None if the picture is too small for one, or if its crop would show no more than the
    right one's.
    """
    grown = math.sqrt(times) * rng.uniform(1.0, 1.4)
    needed = times * cue.area
    width = min(plane.x.ticks, math.ceil(right.x.length * grown))
    height = min(plane.y.ticks, math.ceil(right.y.length * grown))
    # An axis that reached the picture's edge leaves its share to the other.
    width = max(width, _ticks_for(plane.x, needed / _pixels(plane.y, height)))
    height = max(height, _ticks_for(plane.y, needed / _pixels(plane.x, width)))
    for _ in range(_ATTEMPTS):
        box = TickBox(
            _holding(right.x, width, plane.x, rng), _holding(right.y, height, plane.y, rng)
        )
        if plane.executed(box, padded=False).area < needed or not plane.accepts(box):
            continue
        # At the picture's edge all growth may lie within the padding.
        if plane.executed(box).area > plane.executed(right).area:
            return box
    return None


def _length(axis: Axis, wanted: float) -> int:
    return max(axis.least_ticks, min(axis.ticks, round(wanted)))


def _missing(
    plane: Plane, cue: Box, width: int, height: int, rng: random.Random
) -> TickBox | None:
    """A uniform draw from all positions of a ``width`` x ``height`` box that miss the cue.

    It misses if it misses on either axis, so the positions are counted as columns that miss
    (any row), then columns that don't (rows that miss).
    """
    missing_x, hitting_x = _places(plane.x, cue.x1, cue.x2, width)
    missing_y, hitting_y = _places(plane.y, cue.y1, cue.y2, height)
    rows = len(missing_y) + len(hitting_y)
    total = len(missing_x) * rows + len(hitting_x) * len(missing_y)
    if total == 0:
        return None
    pick = rng.randrange(total)
    if pick < len(missing_x) * rows:
        x, y = missing_x[pick // rows], pick % rows
    else:
        pick -= len(missing_x) * rows
        x, y = hitting_x[pick // len(missing_y)], missing_y[pick % len(missing_y)]
    return TickBox(TickRange(x, x + width), TickRange(y, y + height))


@dataclass(frozen=True)
class _Gapped:
    """The integers 0 to ``before`` and ``after`` to ``last``, counted and indexed."""

    before: int
    after: int
    last: int

    def __len__(self) -> int:
        return self.before + 1 + max(0, self.last - self.after + 1)

    def __getitem__(self, index: int) -> int:
        return index if index <= self.before else self.after + index - self.before - 1


def _places(axis: Axis, start: int, stop: int, length: int) -> tuple[_Gapped, range]:
    """Low ticks at which an interval misses the pixels, and those at which it hits."""
    last = axis.ticks - length
    before, after = axis.clear_of(start, stop, length)
    before, after = max(-1, min(before, last)), max(0, min(after, last + 1))
    return _Gapped(before, after, last), range(before + 1, after)


def _pixels(axis: Axis, ticks: int) -> float:
    return ticks * axis.source / axis.ticks


def _ticks_for(axis: Axis, pixels: float) -> int:
    return min(axis.ticks, math.ceil(pixels * axis.ticks / axis.source))


def _holding(inner: TickRange, length: int, axis: Axis, rng: random.Random) -> TickRange:
    """A random interval of at least ``length`` ticks that contains ``inner``."""
    length = max(length, inner.length)
    low = rng.randint(max(0, inner.high - length), min(inner.low, axis.ticks - length))
    return TickRange(low, low + length)
