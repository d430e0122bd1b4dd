"""A picture in a transcript: its patches and its pixels say the same, in whatever order."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from pixel_core.config import PixelBudget
from pixel_core.rollout.operations import ShownPicture, show
from pixel_core.rollout.transcript import Visual

BUDGET = PixelBudget(min_pixels=784, max_pixels=30 * 784)


def shown(width: int = 333, height: int = 210) -> ShownPicture:
    noise = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    return show(Image.fromarray(noise), 0, BUDGET)


@pytest.mark.parametrize("size", [(333, 210), (112, 84), (20, 500)])
def test_the_pixels_are_those_of_the_patches(size: tuple[int, int]) -> None:
    """By the model family's own processor, which must not resize what it is given."""
    visual = Visual(shown(*size))
    image = visual.image
    assert (image.mode, image.size) == ("RGB", visual.size)
    processor = Qwen2VLImageProcessorPil(
        size={"shortest_edge": BUDGET.min_pixels, "longest_edge": BUDGET.max_pixels}
    )
    theirs = processor(images=[image], return_tensors="np")["pixel_values"]
    assert np.array_equal(theirs, visual.patches)


def test_it_does_not_matter_what_is_asked_first() -> None:
    first, other = Visual(shown()), Visual(shown())
    pixels, patches = first.image.tobytes(), other.patches
    assert np.array_equal(first.patches, patches)
    assert other.image.tobytes() == pixels
    assert first.image.tobytes() == pixels


@pytest.mark.parametrize("form", ["image", "patches"])
def test_the_source_picture_is_let_go(form: str) -> None:
    source = shown()
    gone = weakref.ref(source.image)
    visual = Visual(source)
    getattr(visual, form)
    del source
    gc.collect()
    assert gone() is None
