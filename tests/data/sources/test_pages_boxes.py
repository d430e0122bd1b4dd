"""Where an answer's ink is, against pictures whose ink is known."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pixel_core.data.sources.pages.boxes import AnswerToFind, place_of
from pixel_core.media.picture_zip import PictureFault
from pixel_core.records import Box

SIDE = 60


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x1, x2 = sorted(draw(st.sets(st.integers(0, SIDE), min_size=2, max_size=2)))
    y1, y2 = sorted(draw(st.sets(st.integers(0, SIDE), min_size=2, max_size=2)))
    return Box(x1=x1, y1=y1, x2=x2, y2=y2)


def found(box: Box) -> dict[str, object]:
    """As the page tells of a text, half a pixel inside its box."""
    rect = [box.x1 + 0.5, box.y1 + 0.5, box.x2 - 0.25, box.y2 - 0.25]
    return {"count": 1, "rects": [rect], "share": 1.0, "painted": False}


def grown(box: Box, by: int) -> Box:
    return Box(
        x1=max(0, box.x1 - by),
        y1=max(0, box.y1 - by),
        x2=min(SIDE, box.x2 + by),
        y2=min(SIDE, box.y2 + by),
    )


@given(boxes(), boxes(), st.integers(0, 255))
@settings(deadline=None, max_examples=50)
def test_the_box_covers_the_text_and_the_ink_that_reaches_over_it(
    text: Box, ink: Box, paper: int
) -> None:
    hidden = Image.new("RGB", (SIDE, SIDE), (paper,) * 3)
    shown = hidden.copy()
    shown.paste((255 - paper if abs(255 - 2 * paper) > 60 else 0, paper, paper), ink.as_tuple())
    place = place_of(AnswerToFind("x", None), found(text), shown, hidden)
    if isinstance(place, PictureFault):
        assert not ink.intersects(grown(text, 3))
        return
    assert place.contains(text)
    assert grown(text, 3).contains(place)
    near = grown(text, 3)
    reached = Box(
        x1=max(ink.x1, near.x1),
        y1=max(ink.y1, near.y1),
        x2=min(ink.x2, near.x2),
        y2=min(ink.y2, near.y2),
    )
    assert place.contains(reached)
