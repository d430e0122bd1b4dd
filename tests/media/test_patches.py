"""Patches: the same floats as the model family's own processor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from pixel_core.config import PixelBudget
from pixel_core.media.budget import fit, to_rgb
from pixel_core.media.patches import cut, grid_of, patchify, put_together, visual_tokens


def noise(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Noise and flat corners, so that resizing overshoots and clips."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    values[: height // 3] = 255
    values[:, : width // 4] = 0
    return Image.frombytes(mode, (width, height), values.tobytes())


def reference(image: Image.Image, budget: PixelBudget) -> tuple[np.ndarray, list[int]]:
    processor = Qwen2VLImageProcessorPil(
        size={"shortest_edge": budget.min_pixels, "longest_edge": budget.max_pixels}
    )
    batch = processor(images=[image], return_tensors="np")
    return batch["pixel_values"], batch["image_grid_thw"][0].tolist()


def assert_equal_patches(image: Image.Image, rgb: Image.Image, budget: PixelBudget) -> None:
    size = fit(*rgb.size, budget)
    expected, grid = reference(image, budget)
    got = patchify(rgb, size)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    assert got.shape == expected.shape
    assert np.array_equal(got, expected)
    assert list(grid_of(size)) == grid
    assert visual_tokens(size) == len(got) // 4


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 600),
    height=st.integers(1, 600),
    tokens=st.sampled_from([(1, 1), (4, 16), (9, 9), (4, 300), (64, 64)]),
    seed=st.integers(0, 9),
)
def test_patches_equal_the_original_processors(width, height, tokens, seed):
    if max(width, height) > 200 * min(width, height):
        width = height
    budget = PixelBudget(min_pixels=tokens[0] * 784, max_pixels=tokens[1] * 784)
    image = noise(width, height, seed=seed)
    assert_equal_patches(image, image, budget)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "YCbCr", "HSV"])
def test_every_opaque_mode_gives_the_original_processors_patches(mode):
    image = noise(90, 70).convert(mode)
    assert_equal_patches(image, to_rgb(image), PixelBudget(max_pixels=20 * 784))


@pytest.mark.parametrize(("source", "shown"), [(448, 112), (80, 84), (112, 112)])
def test_the_tiny_profiles_sizes(source, shown):
    budget = PixelBudget(min_pixels=shown**2, max_pixels=shown**2)
    image = noise(source, source)
    assert_equal_patches(image, image, budget)


def test_a_picture_comes_back_from_its_patches_whatever_its_bytes():
    """Every byte in every colour, and the order of the patches in a picture that is not
    square."""
    values = np.arange(3 * 84 * 56) * 31 % 257 % 256
    image = Image.fromarray(values.reshape(56, 84, 3).astype(np.uint8))
    assert all(len(set(band.tobytes())) == 256 for band in image.split())
    back = put_together(cut(image), image.size)
    assert back.mode == "RGB"
    assert back.size == image.size
    assert back.tobytes() == image.tobytes()


def test_a_two_step_resize_would_not_be_equal():
    """Why ``reducing_gap``, the obvious short cut, is not taken."""
    image = noise(896, 896)
    exact = np.asarray(image.resize((112, 112), Image.Resampling.BICUBIC), np.int16)
    quick = np.asarray(
        image.resize((112, 112), Image.Resampling.BICUBIC, reducing_gap=2.0), np.int16
    )
    assert np.abs(exact - quick).max() > 1


def test_patches_are_the_pictures_pixels_in_merge_order():
    """One colour per patch: reading the rows must walk 2 x 2 blocks, left to right."""
    width, height = 84, 56
    levels = np.arange(24, dtype=np.uint8).reshape(4, 6).repeat(14, 0).repeat(14, 1)
    image = Image.merge("RGB", [Image.fromarray(levels)] * 3)
    red = patchify(image, (width, height))[:, 0]
    order = np.argsort(np.argsort(red))
    assert order.tolist() == [
        *(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11),
        *(12, 13, 18, 19, 14, 15, 20, 21, 16, 17, 22, 23),
    ]


@pytest.mark.parametrize("size", [(0, 28), (27, 28), (28, 42), (14, 14), (-28, 28)])
def test_a_size_of_broken_tokens_is_the_callers_bug(size):
    with pytest.raises(ValueError, match="visual tokens"):
        patchify(noise(30, 30), size)


def test_a_picture_that_was_not_loaded_properly_is_the_callers_bug():
    with pytest.raises(ValueError, match="RGB picture, not 'RGBA'"):
        patchify(noise(30, 30, "RGBA"), (28, 28))
