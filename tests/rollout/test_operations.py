"""The zoom: exact geometry, and no call that quietly means something else."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from pixel_core.config import DialogueConfig, PixelBudget, ZoomConfig
from pixel_core.errors import MediaError
from pixel_core.media.budget import fit
from pixel_core.rollout.operations import ShownPicture, show, zoom
from pixel_core.rollout.tool_calls import CallError, CallErrorKind, ZoomCall

K = CallErrorKind
SMALL = PixelBudget(min_pixels=4 * 784, max_pixels=16 * 784)


def dialogue(coordinates="pixel", padding=0.1, min_side=28, picture=SMALL, crop=SMALL):
    rules = ZoomConfig(coordinates=coordinates, padding=padding, min_side=min_side)
    return DialogueConfig(picture=picture, crop=crop, zoom=rules)


def coordinates_picture(width: int, height: int) -> Image.Image:
    """Every pixel tells where it is."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(
        np.stack([x % 256, y % 256, x // 256 * 16 + y // 256], 2).astype(np.uint8)
    )


def same_pixels(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and ImageChops.difference(one, other).getbbox() is None


def attempt(call, shown, config) -> ShownPicture | CallErrorKind:
    try:
        return zoom(call, shown, config)
    except CallError as error:
        return error.kind


def refusal(call: ZoomCall, shown: list[ShownPicture], config: DialogueConfig) -> CallError:
    with pytest.raises(CallError) as caught:
        zoom(call, shown, config)
    return caught.value


def test_a_picture_is_shown_whole():
    image = coordinates_picture(448, 300)
    shown = show(image, 2, SMALL)
    assert shown.region.as_tuple() == (0, 0, 448, 300)
    assert shown.size == fit(448, 300, SMALL)
    assert shown.picture == 2
    assert same_pixels(shown.image, image)
    with pytest.raises(MediaError):
        show(coordinates_picture(402, 2), 0, SMALL)


def test_pixels_are_those_of_the_shown_picture():
    """448 pixels shown at 112: one shown pixel is four source pixels."""
    shown = [show(coordinates_picture(448, 448), 0, SMALL)]
    assert shown[0].size == (112, 112)
    crop = zoom(ZoomCall((28, 14, 56, 112), 1), shown, dialogue(padding=0))
    assert crop.region.as_tuple() == (112, 56, 224, 448)
    assert crop.size == fit(112, 392, SMALL)


def test_a_crop_has_a_budget_of_its_own():
    budget = PixelBudget(min_pixels=84 * 84, max_pixels=84 * 84)
    shown = [show(coordinates_picture(448, 448), 0, SMALL)]
    crop = zoom(ZoomCall((0, 0, 28, 28), 1), shown, dialogue(padding=0, crop=budget))
    assert crop.size == (84, 84)


def test_one_is_the_edge_and_not_a_pixel():
    shown = [show(coordinates_picture(448, 448), 0, SMALL)]
    crop = zoom(ZoomCall((0.0, 0.0, 1.0, 1.0), 1), shown, dialogue("normalized"))
    assert crop.region == shown[0].region
    crop = zoom(ZoomCall((0.5, 0.5, 1, 1), 1), shown, dialogue("normalized", padding=0))
    assert crop.region.as_tuple() == (224, 224, 448, 448)


def test_decimals_mean_what_they_say():
    """0.29 of 100 is 29: its nearest float is below, and would round outward to 28."""
    shown = [show(coordinates_picture(100, 1000), 0, SMALL)]
    call = ZoomCall((0.29, 0.07, 0.58, 0.14), 1)
    crop = zoom(call, shown, dialogue("normalized", padding=0, min_side=1))
    assert crop.region.as_tuple() == (29, 70, 58, 140)
    crop = zoom(call, shown, dialogue("normalized", padding=0.1, min_side=1))
    assert crop.region.as_tuple() == (19, 0, 68, 240)


@st.composite
def scenes(draw):
    """A picture as shown, a valid call on it, the coordinates' kind, a padding."""
    kind = draw(st.sampled_from(["pixel", "normalized"]))
    width, height = draw(st.integers(1, 700)), draw(st.integers(1, 700))
    assume(max(width, height) <= 200 * min(width, height))
    shown = show(coordinates_picture(width, height), 0, SMALL)
    box = []
    for side in shown.size:
        ends = st.integers(0, side) if kind == "pixel" else st.floats(0, 1)
        box.append(sorted(draw(st.tuples(ends, ends).filter(lambda pair: pair[0] != pair[1]))))
    (x1, x2), (y1, y2) = box
    return shown, ZoomCall((x1, y1, x2, y2), 1), kind, draw(st.floats(0, 0.5))


def wanted(shown: ShownPicture, call: ZoomCall, kind: str, padding: float) -> list[Fraction]:
    """The padded box in source pixels, exact and unclamped."""
    result = []
    for number, value in enumerate(call.box):
        axis = number % 2
        unit = shown.size[axis] if kind == "pixel" else 1
        offset = Fraction(str(padding)) * (1 if number >= 2 else -1)
        result.append((Fraction(str(value)) / unit + offset) * shown.image.size[axis])
    return result


@given(scenes())
def test_a_crop_is_the_padded_box_rounded_outward_and_kept_inside(scene):
    shown, call, kind, padding = scene
    crop = attempt(call, [shown], dialogue(kind, padding, min_side=1))
    if not isinstance(crop, ShownPicture):
        assert crop in {K.CROP_TOO_SMALL, K.CROP_TOO_NARROW}
        return
    assert shown.region.contains(crop.region)
    assert same_pixels(crop.image, shown.image.crop(crop.region.as_tuple()))
    assert crop.size == fit(*crop.image.size, SMALL)
    limits = (*shown.image.size, *shown.image.size)
    for number, (edge, ideal) in enumerate(
        zip(crop.region.as_tuple(), wanted(shown, call, kind, padding), strict=True)
    ):
        clamped = min(max(ideal, Fraction(0)), Fraction(limits[number]))
        outward = edge - clamped if number >= 2 else clamped - edge
        assert 0 <= outward < 1


@given(scenes(), st.floats(0, 0.5))
def test_more_padding_never_shows_less(scene, other):
    shown, call, kind, padding = scene
    less, more = sorted([padding, other])
    inner = attempt(call, [shown], dialogue(kind, less, min_side=1))
    assume(isinstance(inner, ShownPicture))
    outer = attempt(call, [shown], dialogue(kind, more, min_side=1))
    # Padding a wide picture's strip grows its length first.
    assert outer is K.CROP_TOO_NARROW or outer.region.contains(inner.region)


@given(scenes())
def test_a_crop_of_a_crop_takes_source_pixels_and_keeps_original_coordinates(scene):
    shown, call, kind, padding = scene
    config = dialogue(kind, padding, min_side=1)
    first = attempt(call, [shown], config)
    assume(isinstance(first, ShownPicture))
    width, height = first.size if kind == "pixel" else (1, 1)
    whole = zoom(ZoomCall((0, 0, width, height), 2), [shown, first], config)
    assert whole.region == first.region
    half = (width // 2, height // 2) if kind == "pixel" else (0.5, 0.5)
    second = attempt(ZoomCall((0, 0, *half), 2), [shown, first], config)
    assume(isinstance(second, ShownPicture))
    assert first.region.contains(second.region)
    assert second.picture == shown.picture
    assert same_pixels(second.image, shown.image.crop(second.region.as_tuple()))


def test_indices_count_the_querys_pictures_first_then_each_crop():
    config = dialogue(padding=0)
    shown = [show(coordinates_picture(448, 448), 0, SMALL)]
    shown.append(show(coordinates_picture(300, 300), 1, SMALL))
    shown.append(zoom(ZoomCall((0, 0, 56, 56), 2), shown, config))
    assert shown[2].picture == 1
    deeper = zoom(ZoomCall((0, 0, 56, 56), 3), shown, config)
    assert deeper.picture == 1
    assert shown[2].region.contains(deeper.region)
    assert zoom(ZoomCall((0, 0, 56, 56), 1), shown, config).picture == 0


@pytest.mark.parametrize("target", [0, -1, -2, 3, 10**8])
def test_no_index_counts_from_the_end_or_beyond_it(target):
    shown = [show(coordinates_picture(448, 448), index, SMALL) for index in range(2)]
    error = refusal(ZoomCall((0, 0, 56, 56), target), shown, dialogue())
    assert error.kind is K.TARGET_UNKNOWN
    assert str(target) in error.message
    assert "from 1 to 2" in error.message


def test_without_pictures_there_is_nothing_to_choose():
    error = refusal(ZoomCall((0, 0, 1, 1), 1), [], dialogue())
    assert error.kind is K.TARGET_UNKNOWN


@pytest.mark.parametrize(
    ("box", "kind"),
    [
        ((0, 0, 113, 112), K.BOX_OUTSIDE),
        ((0, 0, 112, 448), K.BOX_OUTSIDE),  # source pixels instead of shown ones
        ((-1, 0, 50, 50), K.BOX_OUTSIDE),
        ((0, 0, math.nan, 50), K.BOX_OUTSIDE),
        ((50, 0, 20, 50), K.BOX_SWAPPED),
        ((50, 0, 50, 50), K.BOX_EMPTY),
    ],
)
def test_a_box_that_leaves_the_shown_picture_is_refused(box, kind):
    shown = [show(coordinates_picture(448, 448), 0, SMALL)]
    error = refusal(ZoomCall(box, 1), shown, dialogue())
    assert error.kind is kind
    if kind is K.BOX_OUTSIDE:
        assert "112 x 112" in error.message


def test_the_units_are_never_guessed():
    """A normalised box in pixels would be a corner, pixels as parts would be outside."""
    shown = [show(coordinates_picture(448, 448), 0, SMALL)]
    error = refusal(ZoomCall((10, 10, 50, 50), 1), shown, dialogue("normalized"))
    assert error.kind is K.BOX_OUTSIDE
    assert "from 0 to 1" in error.message
    crop = zoom(ZoomCall((0, 0, 1, 1), 1), shown, dialogue("pixel", padding=0, min_side=3))
    assert crop.region.as_tuple() == (0, 0, 4, 4)


@pytest.mark.parametrize(("last", "fits"), [(28, False), (29, True)])
def test_both_sides_must_be_over_the_minimum_in_source_pixels(last, fits):
    shown = [show(coordinates_picture(100, 100), 0, PixelBudget(min_pixels=1))]
    config = dialogue("normalized", padding=0, picture=PixelBudget(min_pixels=1))
    for box in ((0, 0, last / 100, 0.9), (0, 0, 0.9, last / 100)):
        if fits:
            zoom(ZoomCall(box, 1), shown, config)
        else:
            error = refusal(ZoomCall(box, 1), shown, config)
            assert error.kind is K.CROP_TOO_SMALL
            assert "over 28" in error.message
            assert "larger box" in error.message


def test_padding_counts_before_the_minimum_is_checked():
    shown = [show(coordinates_picture(100, 100), 0, SMALL)]
    call = ZoomCall((0.4, 0.4, 0.5, 0.5), 1)
    assert refusal(call, shown, dialogue("normalized", padding=0)).kind is K.CROP_TOO_SMALL
    crop = zoom(call, shown, dialogue("normalized", padding=0.1))
    assert crop.region.as_tuple() == (30, 30, 60, 60)


def test_a_picture_too_small_to_zoom_says_so():
    shown = [show(coordinates_picture(28, 60), 0, SMALL)]
    error = refusal(ZoomCall((0, 0, 1, 1), 1), shown, dialogue("normalized"))
    assert error.kind is K.CROP_TOO_SMALL
    assert "another one" in error.message


def test_a_strip_that_no_budget_can_show_is_an_error_of_the_call():
    shown = [show(Image.new("RGB", (6000, 3000)), 0, SMALL)]
    call = ZoomCall((0, 0, 1, 0.0096), 1)
    error = refusal(call, shown, dialogue("normalized", padding=0))
    assert error.kind is K.CROP_TOO_NARROW
    assert "6000 x 29" in error.message
    assert "200 times" in error.message


@given(scenes())
@settings(max_examples=20, deadline=None)
@example(
    (show(coordinates_picture(64, 64), 0, SMALL), ZoomCall((0, 0, 56, 56), 1), "pixel", 0.1)
)
def test_a_zoom_changes_nothing_it_was_given(scene):
    shown, call, kind, padding = scene
    before = shown.image.tobytes()
    history = [shown]
    crop = attempt(call, history, dialogue(kind, padding, min_side=1))
    assume(isinstance(crop, ShownPicture))
    crop.image.paste((9, 9, 9), (0, 0, *crop.image.size))
    assert shown.image.tobytes() == before
    assert history == [shown]
