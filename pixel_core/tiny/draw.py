"""Renders scenes as palette images: one byte per pixel draws and packs fastest."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image

from pixel_core.tiny.scene import COLOURS, GLYPH_HEIGHT, GLYPH_WIDTH, NAMES, Scene

#: The background is a gradient in 14 x 14 tiles: it tells the model where it looks.
TILES = 14
_INK = TILES * TILES + len(NAMES)
_FONT = {
    "0": "01110 10001 10011 10101 11001 10001 01110",
    "1": "00100 01100 00100 00100 00100 00100 01110",
    "2": "01110 10001 00001 00110 01000 10000 11111",
    "3": "11110 00001 00001 01110 00001 00001 11110",
    "4": "00010 00110 01010 10010 11111 00010 00010",
    "5": "11111 10000 11110 00001 00001 10001 01110",
    "6": "00110 01000 10000 11110 10001 10001 01110",
    "7": "11111 00001 00010 00100 01000 01000 01000",
    "8": "01110 10001 10001 01110 10001 10001 01110",
    "9": "01110 10001 10001 01111 00001 00010 01100",
}


def _palette() -> list[int]:
    colours: list[int] = []
    for row in range(TILES):
        for column in range(TILES):
            colours += [
                40 + 110 * column // (TILES - 1),
                40 + 110 * row // (TILES - 1),
                90,
            ]
    for name in NAMES:
        colours += COLOURS[name]
    return [*colours, 0, 0, 0]


_PALETTE = _palette()


@lru_cache(maxsize=8)
def _background(side: int) -> np.ndarray:
    tile = np.arange(side) * TILES // side
    return (tile[:, None] * TILES + tile[None, :]).astype(np.uint8)


@lru_cache(maxsize=64)
def _glyph(digit: str, scale: int) -> np.ndarray:
    dots = np.array([[dot == "1" for dot in row] for row in _FONT[digit].split()])
    return np.kron(dots, np.ones((scale, scale), bool))


def indices(scene: Scene) -> np.ndarray:
    """Palette indices of the picture, uint8 (side, side)."""
    config = scene.world.config
    pixels = _background(config.side).copy()
    for card in scene.cards:
        face = pixels[card.y : card.y + config.card, card.x : card.x + config.card]
        face[:] = TILES * TILES + NAMES.index(card.colour)
        scale = config.big_glyph if card.big else config.small_glyph
        left = (config.card - GLYPH_WIDTH * scale) // 2
        top = (config.card - GLYPH_HEIGHT * scale) // 2
        spot = face[top : top + GLYPH_HEIGHT * scale, left : left + GLYPH_WIDTH * scale]
        spot[_glyph(card.digit, scale)] = _INK
    return pixels


def draw(scene: Scene) -> Image.Image:
    """The picture as RGB, (side, side)."""
    return _paletted(scene).convert("RGB")


def png(scene: Scene) -> bytes:
    """The picture as an encoded palette PNG; the same bytes for the same scene."""
    out = io.BytesIO()
    _paletted(scene).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _paletted(scene: Scene) -> Image.Image:
    image = Image.fromarray(indices(scene))
    image.putpalette(_PALETTE)
    return image
