"""Our positions against transformers' own, over random layouts of text and pictures."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tiny_world import tiny

from pixel_core.config import PixelBudget
from pixel_core.models.positions import positions
from pixel_core.rollout.operations import show
from pixel_core.rollout.transcript import Transcript, Visual

PART = st.one_of(
    st.integers(1, 9), st.tuples(st.integers(1, 6), st.integers(1, 6))
)  # text of so many tokens, or a picture of so many visual tokens across and down


def _picture(columns: int, rows: int) -> Visual:
    size = (28 * columns, 28 * rows)
    return Visual(show(Image.new("RGB", size), 0, PixelBudget(min_pixels=1, max_pixels=10**7)))


@settings(max_examples=60, deadline=None)
@given(st.lists(PART, min_size=1, max_size=8))
def test_positions_equal_transformers(parts: list[int | tuple[int, int]]) -> None:
    world = tiny()
    transcript = Transcript()
    for part in parts:
        if isinstance(part, int):
            transcript.append([11] * part)
        else:
            transcript.append(world.vocabulary.encode("<|vision_start|>"))
            transcript.append_visual(_picture(*part), world.vocabulary.image)
            transcript.append(world.vocabulary.encode("<|vision_end|>"))
    ours, following = positions(transcript.tokens, transcript.visuals, world.vocabulary.image)
    ids = torch.tensor([transcript.tokens])
    grids = [[1, v.size[1] // 14, v.size[0] // 14] for v in transcript.visuals]
    theirs, _ = world.model.model.get_rope_index(
        ids,
        (ids == world.vocabulary.image).int(),
        image_grid_thw=torch.tensor(grids) if grids else None,
    )
    np.testing.assert_array_equal(ours, theirs[:, 0].numpy())
    assert following == ours.max() + 1
