"""Shown sizes: the same numbers as the model family's own processor."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from pixel_core.config import PixelBudget
from pixel_core.errors import MediaError
from pixel_core.media.budget import fit

sides = st.integers(1, 20_000)
budgets = st.tuples(st.integers(1, 10**7), st.integers(1, 10**7)).map(
    lambda pair: PixelBudget(min_pixels=min(pair), max_pixels=max(pair))
)
ordinary = PixelBudget(min_pixels=4 * 784, max_pixels=2000 * 784)


@given(width=sides, height=sides, budget=budgets)
@example(width=42, height=70, budget=ordinary)  # halves: 1.5 and 2.5 tokens
@example(width=1, height=200, budget=ordinary)
@example(width=200, height=1, budget=PixelBudget(min_pixels=1, max_pixels=1))
@example(width=1, height=201, budget=ordinary)
def test_fit_equals_smart_resize(width, height, budget):
    try:
        expected_height, expected_width = smart_resize(
            height, width, 28, budget.min_pixels, budget.max_pixels
        )
    except ValueError:
        with pytest.raises(MediaError, match=f"{width} x {height}"):
            fit(width, height, budget)
    else:
        assert fit(width, height, budget) == (expected_width, expected_height)


@given(width=st.integers(50, 5000), height=st.integers(50, 5000))
def test_an_ordinary_picture_lands_in_its_budget_and_keeps_its_shape(width, height):
    shown_width, shown_height = fit(width, height, ordinary)
    assert ordinary.min_pixels <= shown_width * shown_height <= ordinary.max_pixels
    assert shown_width % 28 == shown_height % 28 == 0
    transposed = fit(height, width, ordinary)
    assert transposed == (shown_height, shown_width)
    # Each side is off its ideal by less than one token (and shrinking rounds down).
    ratio = (shown_width / shown_height) / (width / height)
    slack = (1 + 28 / shown_width) * (1 + 28 / shown_height)
    assert 1 / slack <= ratio <= slack


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (-1, 5)])
def test_a_picture_without_pixels_is_refused(width, height):
    with pytest.raises(MediaError, match="nothing to show"):
        fit(width, height, ordinary)
