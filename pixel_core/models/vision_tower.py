"""The vision tower over many pictures at once.

Legend: n pictures of one size, p patches (all pictures, one after the other), m merged
token, d width.

On a CPU, transformers' tower embeds patches with a Conv3d (about 14 times slower than the
equal matrix product) and attends to one picture after the other. When every block attends
to the whole picture, all pictures' patches are one matrix, and pictures of one size attend
as one batch. Otherwise transformers' own tower runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from pixel_core.media.budget import MERGE, PATCH
from pixel_core.media.patches import COLOURS, MOMENTS
from pixel_core.models.language import paired, rms_norm
from pixel_core.models.layer_gradients import Segment, Segments, attend, folded, gated

#: Pictures' patches, of one moment: (n, p of one, 588) by shown size (width, height).
Groups = Sequence[tuple[tuple[int, int], Tensor]]


def picture_features(model: Any, groups: Groups) -> Tensor:
    """Features (m, d) of still pictures, in the groups' order; at least one group."""
    tower = model.model.visual
    every_block = len(set(tower.fullatt_block_indexes)) == len(tower.blocks)
    if every_block and not groups[0][1].is_cuda:
        return _whole_picture_attention(tower, groups)
    grids = [(1, *_grid(size)) for size, patches in groups for _ in patches]
    patches_pc = torch.cat([both_moments(patches.flatten(0, 1)) for _, patches in groups])
    grid_n3 = torch.tensor(grids, device=patches_pc.device)
    merged: Tensor = tower(patches_pc, grid_thw=grid_n3).pooler_output
    return merged


def both_moments(stills_pc: Tensor) -> Tensor:
    """Patches (p, 1176) as transformers' tower takes them: a still picture fills both."""
    return stills_pc.unflatten(1, (COLOURS, 1, -1)).expand(-1, -1, MOMENTS, -1).flatten(1)


def _whole_picture_attention(tower: Any, groups: Groups) -> Tensor:
    segments = tuple(Segment(len(patches), patches.shape[1]) for _, patches in groups)
    inverse = tower.rotary_pos_emb.inv_freq
    turn = torch.cat(
        [_turns(inverse, _grid(size)).repeat(len(patches), 1, 1) for size, patches in groups]
    )
    hidden = _embedded(tower.patch_embed.proj.weight, groups)
    for block in tower.blocks:
        hidden = _block(block, hidden, turn, segments)
    merged: Tensor = tower.merger.mlp(
        rms_norm(tower.merger.ln_q, hidden).view(-1, MERGE**2 * hidden.shape[1])
    )
    return merged


def _embedded(weight: Tensor, groups: Groups) -> Tensor:
    """A still picture fills both moments of a patch: they are added up in the weights."""
    once = weight.flatten(3).sum(2).flatten(1)
    return F.linear(torch.cat([patches.flatten(0, 1) for _, patches in groups]), once)


def _block(block: Any, hidden_pd: Tensor, turn: Tensor, segments: Segments) -> Tensor:
    attention, mlp, norm = block.attn, block.mlp, block.norm2
    heads = attention.num_heads, attention.num_heads
    both = 2 * attention.qkv.weight.shape[0] // 3
    width = both // 2 // attention.num_heads

    def in_pairs(rows: Tensor) -> Tensor:
        return torch.cat((paired(rows[:both], width), rows[both:]))

    mixed = attend(
        hidden_pd,
        folded(in_pairs(attention.qkv.weight), block.norm1.weight),
        in_pairs(attention.qkv.bias),
        turn,
        block.norm1.variance_epsilon,
        heads,
        segments,
        causal=False,
    )
    hidden_pd = hidden_pd + attention.proj(mixed)
    return gated(
        hidden_pd,
        folded(torch.cat((mlp.gate_proj.weight, mlp.up_proj.weight)), norm.weight),
        torch.cat((mlp.gate_proj.bias, mlp.up_proj.bias)),
        mlp.down_proj.weight,
        mlp.down_proj.bias,
        norm.variance_epsilon,
    )


def _turns(inv_freq: Tensor, grid: tuple[int, int]) -> Tensor:
    """What turns queries and keys of one picture's patches: complex (p, 1, half a head)."""
    angle = (_places(grid)[..., None] * inv_freq).flatten(1)[:, None]
    return torch.complex(angle.cos(), angle.sin())


def _grid(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of patches of a picture shown at (width, height)."""
    return size[1] // PATCH, size[0] // PATCH


@lru_cache(maxsize=64)
def _places(grid: tuple[int, int]) -> Tensor:
    """Row and column (p, 2) of each patch, in patch order: 2x2 merge blocks, row by row."""
    rows, columns = grid

    def in_patch_order(x: Tensor) -> Tensor:
        blocks = x.expand(rows, columns).reshape(rows // MERGE, MERGE, columns // MERGE, MERGE)
        return blocks.permute(0, 2, 1, 3).flatten()

    row, column = torch.arange(rows)[:, None], torch.arange(columns)[None, :]
    return torch.stack((in_patch_order(row), in_patch_order(column)), -1).float()
