"""Qwen2.5-VL in numbers: the parameters of a model, and the FLOPs of a pass through it.

FLOPs are those of the matrix products and of attention, two per multiply-add; norms, rotations
and softmax are left out. Attention counts every pair of tokens, like the PaLM paper's formula
for model FLOP utilisation (arXiv 2204.02311, appendix B), though causal kernels skip half. The
backward pass costs twice the forward: one product for a layer's input, one for its weights.
Recomputation by checkpointing and padding are not counted.

Legend: t tokens of a transcript, p patches of a picture, d width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: Values per patch: 3 colours, 2 moments, 14 x 14 pixels.
_PATCH = 3 * 2 * 14 * 14
#: Patches of a visual token.
_MERGED = 4


@dataclass(frozen=True)
class Architecture:
    """Sizes of the language model and of the vision tower."""

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    #: Frequencies for time, height and width; they sum to half a head.
    sections: tuple[int, int, int]
    tied: bool
    vision_hidden: int
    vision_intermediate: int
    vision_depth: int
    vision_heads: int
    #: Side in pixels of the windows that most blocks attend in.
    window: int
    #: Blocks that attend to the whole picture.
    whole: tuple[int, ...]


#: Source: config.json of Qwen/Qwen2.5-VL-7B-Instruct, and table 1 of arXiv 2502.13923.
QWEN2_5_VL_7B = Architecture(
    vocabulary=152_064,
    hidden=3584,
    intermediate=18_944,
    layers=28,
    heads=28,
    kv_heads=4,
    sections=(16, 24, 24),
    tied=False,
    vision_hidden=1280,
    vision_intermediate=3420,
    vision_depth=32,
    vision_heads=16,
    window=112,
    whole=(7, 15, 23, 31),
)

#: The same structure for a CPU: grouped heads, windows, an untied output layer.
TINY = Architecture(
    vocabulary=512,
    hidden=64,
    intermediate=160,
    layers=2,
    heads=4,
    kv_heads=2,
    sections=(2, 3, 3),
    tied=False,
    vision_hidden=64,
    vision_intermediate=96,
    vision_depth=2,
    vision_heads=2,
    window=112,
    whole=(1,),
)


@dataclass(frozen=True)
class Work:
    """FLOPs of one forward pass."""

    #: The tower's first product, whose inputs are pixels and need no gradient.
    patches: float
    tower: float
    language: float
    head: float

    @property
    def forward(self) -> float:
        return self.patches + self.tower + self.language + self.head

    def training(self, *, frozen_tower: bool) -> float:
        """Forward and backward."""
        tower = self.patches + self.tower
        if not frozen_tower:
            tower += self.patches + 2 * self.tower
        return tower + 3 * (self.language + self.head)


def work_of(
    shape: Architecture,
    lengths: Sequence[int],
    pictures: Sequence[tuple[int, int]],
    trained: int,
) -> Work:
    """One pass over transcripts of ``lengths`` tokens that show ``pictures`` of (rows,
    columns) patches, with the logits of ``trained`` tokens."""
    d, head = shape.hidden, shape.hidden // shape.heads
    a_layer = 2 * d * d + 2 * d * shape.kv_heads * head + 3 * d * shape.intermediate
    language = shape.layers * sum(2 * a_layer * t + 4 * d * t * t for t in lengths)
    v = shape.vision_hidden
    a_block = 4 * v * v + 3 * v * shape.vision_intermediate
    merged = _MERGED * v
    merger = (merged * merged + merged * d) / _MERGED
    patches = tower = 0.0
    for rows, columns in pictures:
        p = rows * columns
        patches += 2 * _PATCH * v * p
        pairs = len(shape.whole) * p * p
        pairs += (shape.vision_depth - len(shape.whole)) * _window_pairs(shape, rows, columns)
        tower += 2 * (shape.vision_depth * a_block + merger) * p + 4 * v * pairs
    return Work(patches, tower, language, 2.0 * d * shape.vocabulary * trained)


def _window_pairs(shape: Architecture, rows: int, columns: int) -> int:
    """Pairs of patches that attend to each other in windows; windows at an edge are smaller."""
    side = shape.window // 14

    def spans(patches: int) -> list[int]:
        return [min(side, patches - start) for start in range(0, patches, side)]

    return sum((high * wide) ** 2 for high in spans(rows) for wide in spans(columns))


def parameters(shape: Architecture, *, tower: bool = True) -> int:
    """The number of weights; ``tower``: include the vision tower."""
    import torch

    with torch.device("meta"):
        model = build(shape)
    skipped = 0 if tower else sum(p.numel() for p in model.model.visual.parameters())
    return sum(p.numel() for p in model.parameters()) - skipped


@dataclass(frozen=True)
class SpecialTokens:
    """Ids as in the released models; a smaller vocabulary has them at its end."""

    vision_start: int

    @classmethod
    def of(cls, shape: Architecture) -> SpecialTokens:
        return cls(151_652 if shape.vocabulary > 151_664 else shape.vocabulary - 5)

    @property
    def pad(self) -> int:
        return self.vision_start - 9

    @property
    def vision_end(self) -> int:
        return self.vision_start + 1

    @property
    def image(self) -> int:
        return self.vision_start + 3

    @property
    def video(self) -> int:
        return self.vision_start + 4


def build(shape: Architecture, attention: str = "sdpa") -> Any:
    """Transformers' class with random weights, on the default device, in the default type."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    return Qwen2_5_VLForConditionalGeneration._from_config(
        config_of(shape), attn_implementation=attention
    )


def config_of(shape: Architecture) -> Any:
    """Transformers' configuration; its ``save_pretrained`` writes ``config.json``."""
    from transformers import Qwen2_5_VLConfig

    special = SpecialTokens.of(shape)
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": shape.vocabulary,
            "hidden_size": shape.hidden,
            "intermediate_size": shape.intermediate,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads,
            "max_position_embeddings": 128_000,
            "rms_norm_eps": 1e-6,
            "bos_token_id": None,
            "eos_token_id": None,
            "pad_token_id": special.pad,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1_000_000.0,
                "mrope_section": list(shape.sections),
            },
            "tie_word_embeddings": shape.tied,
        },
        vision_config={
            "depth": shape.vision_depth,
            "hidden_size": shape.vision_hidden,
            "intermediate_size": shape.vision_intermediate,
            "num_heads": shape.vision_heads,
            "window_size": shape.window,
            "out_hidden_size": shape.hidden,
            "fullatt_block_indexes": list(shape.whole),
        },
        image_token_id=special.image,
        video_token_id=special.video,
        vision_start_token_id=special.vision_start,
        vision_end_token_id=special.vision_end,
        tie_word_embeddings=shape.tied,
    )
