"""Finds the cards in a picture by colour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from pixel_core.dev.annotator.digits import read_digit
from pixel_core.tiny.scene import COLOURS, NAMES

#: Largest distance of a pixel's colour from a card's (of 441), for compression and blur.
_NEAR = 60.0

#: Least pixels of a card's shorter side; smaller ones are specks.
_SMALLEST = 4
#: Least share of its box that a card's colour fills: the rest is the digit.
_FILLED = 0.45
#: Least size of a card's part, as a share of its largest part's pixels.
_PART = 0.1

#: Colours are looked up by the upper bits of each channel.
_BITS = 5


@dataclass(frozen=True)
class SeenCard:
    """A card as found: its box in pixels of this picture, and its digit.

    ``digit`` is None if it is too small, too blurred or cut off.
    """

    colour: str
    box: tuple[int, int, int, int]
    digit: str | None


def find_cards(image: Image.Image) -> list[SeenCard]:
    """The cards in an RGB picture, in raster order of their upper left corners."""
    pixels = np.asarray(image)
    red, green, blue = np.moveaxis((pixels >> (8 - _BITS)).astype(np.uint16), -1, 0)
    nearest = _nearest_colour()[red << 2 * _BITS | green << _BITS | blue]
    counts = np.bincount(nearest.ravel(), minlength=len(NAMES) + 1)
    cards = []
    for number, colour in enumerate(NAMES, 1):
        if counts[number] < _SMALLEST**2 * _FILLED:
            continue
        box = _card_box(nearest == number)
        if box is None:
            continue
        left, top, right, bottom = box
        ink = _ink(pixels[top:bottom, left:right], colour)
        cards.append(SeenCard(colour, box, read_digit(ink)))
    return sorted(cards, key=lambda card: (card.box[1], card.box[0]))


def _card_box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """The box of the largest connected part, merged with parts that blur and ink cut off from
    it if together they fill their box. None for specks."""
    from scipy import ndimage

    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = rows[0], columns[0]
    parts, count = ndimage.label(mask[top : rows[-1] + 1, left : columns[-1] + 1])
    areas = np.bincount(parts.ravel(), minlength=count + 1)
    areas[0] = 0
    for belonging in (areas >= _PART * areas.max(), areas == areas.max()):
        card = belonging[parts]
        down, across = np.flatnonzero(card.any(axis=1)), np.flatnonzero(card.any(axis=0))
        box = (across[0], down[0], across[-1] + 1, down[-1] + 1)
        filled = card[box[1] : box[3], box[0] : box[2]].mean()
        if min(box[2] - box[0], box[3] - box[1]) >= _SMALLEST and filled >= _FILLED:
            return (
                int(left + box[0]),
                int(top + box[1]),
                int(left + box[2]),
                int(top + box[3]),
            )
    return None


def _ink(face: np.ndarray, colour: str) -> np.ndarray:
    """How black each pixel of a card's face is, 0 to 1, without its blurred edge."""
    edge = max(1, min(face.shape[:2]) // 32)
    face = face[edge:-edge, edge:-edge].astype(np.float64)
    full = np.array(COLOURS[colour], np.float64)
    return np.clip(1 - face @ full / (full @ full), 0, 1)


@lru_cache(maxsize=1)
def _nearest_colour() -> np.ndarray:
    """For each colour code, the number of the card it belongs to, from 1; 0: none."""
    levels = (np.arange(1 << _BITS) + 0.5) * (1 << (8 - _BITS))
    codes = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    # The background's red and green range from 40 to 150; its blue is 90.
    ground = np.column_stack([np.clip(codes[:, :2], 40, 150), np.full(len(codes), 90.0)])
    cards = [np.array(COLOURS[name], np.float64) for name in NAMES]
    apart = np.stack(
        [np.linalg.norm(codes - ground, axis=1)]
        + [np.linalg.norm(codes - card, axis=1) for card in cards]
    )
    nearest = apart.argmin(axis=0)
    nearest[apart.min(axis=0) > _NEAR] = 0
    return nearest.astype(np.uint8)
