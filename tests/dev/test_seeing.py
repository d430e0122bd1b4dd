"""What the stand-in annotator sees: cards and digits, at whatever size they come."""

from __future__ import annotations

import random

import numpy as np
import pytest
from drawn_requests import WORLD, scene, shown
from PIL import Image

from pixel_core.config import ClipConfig
from pixel_core.dev.annotator.cards import find_cards
from pixel_core.tiny.clip import ClipWorld
from pixel_core.tiny.draw import draw

SCENES = 8


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("scale", [0.25, 0.5, 1.0, 1.7])
def test_cards_are_found_and_no_digit_is_read_wrongly(scale: float, kind: str) -> None:
    for number in range(SCENES):
        one = scene(number)
        seen = {card.colour: card for card in find_cards(shown(draw(one), scale, kind))}
        assert seen.keys() == {card.colour for card in one.cards}
        for card in one.cards:
            found = seen[card.colour]
            corners = (card.x, card.y, card.x + 64, card.y + 64)
            assert found.box == pytest.approx([scale * at for at in corners], abs=1.6)
            legible = card.big or scale >= 1  # a small glyph's dot has 2 pixels
            assert found.digit == (card.digit if legible else None)


def test_a_crop_is_enough() -> None:
    for number in range(SCENES):
        one = scene(number)
        for card in one.cards:
            around = (card.x - 6, card.y - 6, card.x + 70, card.y + 70)
            seen = find_cards(draw(one).crop(around))
            assert card.digit in [found.digit for found in seen if found.colour == card.colour]


def test_a_card_cut_through_its_digit_is_not_misread() -> None:
    read = []
    for number in range(SCENES):
        card = scene(number).cards[0]
        middle = card.y + 32
        left = draw(scene(number)).crop((card.x, middle, card.x + 64, card.y + 64))
        read += [
            found.digit != card.digit
            for found in find_cards(left)
            if found.colour == card.colour and found.digit is not None
        ]
    assert not any(read)


def test_frames_of_a_clip_are_read() -> None:
    clip = ClipWorld(ClipConfig()).clip(random.Random("dev/clip"))
    for at, one in enumerate(clip.scenes()):
        visible = {
            visit.card.colour: visit.card.digit for visit in clip.visits if at in visit.frames
        }
        assert {card.colour: card.digit for card in find_cards(draw(one))} == visible


def test_pictures_of_other_things_hold_no_cards() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    smooth = np.linspace(0, 255, 300 * 400 * 3).reshape(300, 400, 3).astype(np.uint8)
    page = np.full((300, 400, 3), 255, np.uint8)
    page[20:280:20, 30:370] = 0
    for pixels in (noise, smooth, page):
        assert find_cards(Image.fromarray(pixels)) == []
    assert find_cards(Image.new("RGB", (1, 1))) == []
    assert WORLD.config.card == 64  # the corners above
