"""The vision tower over pictures of one size at a time.

Legend: n pictures, p patches a picture, m merged tokens a picture, d width.

On a CPU, transformers' tower embeds patches with a Conv3d (about 14 times slower than the
equal matrix product) and attends to one picture after the other. When every block attends
to the whole picture and all pictures have one size, both become single batched products.
Otherwise transformers' own tower runs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from pixel_core.vision.budget import MERGE, PATCH


def picture_features(model: Any, patches_npc: Tensor, size: tuple[int, int]) -> Tensor:
    """Features (n, m, d) of pictures shown at one ``size`` (width, height)."""
    tower = model.model.visual
    grid = (size[1] // PATCH, size[0] // PATCH)
    count = len(patches_npc)
    if len(set(tower.fullatt_block_indexes)) < len(tower.blocks) or patches_npc.is_cuda:
        grid_n3 = torch.tensor([[1, *grid]], device=patches_npc.device).repeat(count, 1)
        merged = tower(patches_npc.flatten(0, 1), grid_thw=grid_n3).pooler_output
        return merged.unflatten(0, (count, -1))
    return _whole_picture_attention(tower, patches_npc, grid)


def _whole_picture_attention(tower: Any, patches_npc: Tensor, grid: tuple[int, int]) -> Tensor:
    cos_p1c, sin_p1c = _rotary(tower.rotary_pos_emb.inv_freq, grid)
    weight = tower.patch_embed.proj.weight
    hidden = F.linear(patches_npc.to(weight.dtype), weight.flatten(1))
    for block in tower.blocks:
        hidden = hidden + _attend(block.attn, block.norm1(hidden), cos_p1c, sin_p1c)
        hidden = hidden + block.mlp(block.norm2(hidden))
    return tower.merger(hidden).unflatten(0, (len(patches_npc), -1))


def _attend(attention: Any, hidden_npd: Tensor, cos_p1c: Tensor, sin_p1c: Tensor) -> Tensor:
    heads = attention.num_heads
    q, k, v = attention.qkv(hidden_npd).unflatten(-1, (3, heads, -1)).unbind(2)
    q, k = _rotate(q, cos_p1c, sin_p1c), _rotate(k, cos_p1c, sin_p1c)
    mixed = F.scaled_dot_product_attention(
        q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    )
    return attention.proj(mixed.transpose(1, 2).flatten(2))


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat((-right, left), -1) * sin


def _rotary(inv_freq: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Cosines and sines (p, 1, head) for the patches of one picture."""
    angle = (_places(grid)[..., None] * inv_freq).flatten(1)
    angle = torch.cat((angle, angle), -1)[:, None]
    return angle.cos(), angle.sin()


@lru_cache(maxsize=64)
def _places(grid: tuple[int, int]) -> Tensor:
    """Row and column (p, 2) of each patch, in patch order: 2x2 merge blocks, row by row."""
    rows, columns = grid

    def in_patch_order(x: Tensor) -> Tensor:
        blocks = x.expand(rows, columns).reshape(rows // MERGE, MERGE, columns // MERGE, MERGE)
        return blocks.permute(0, 2, 1, 3).flatten()

    row, column = torch.arange(rows)[:, None], torch.arange(columns)[None, :]
    return torch.stack((in_patch_order(row), in_patch_order(column)), -1).float()
