"""A real Qwen2.5-VL, small enough to train from scratch on a laptop."""

from __future__ import annotations

import math

import torch
from torch import nn
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)

from pixel_core.config import TinyModelConfig
from pixel_core.media.budget import MERGE, PATCH
from pixel_core.rollout.vocabulary import IMAGE, VIDEO, VISION_END, VISION_START


def build_tiny(
    config: TinyModelConfig, tokenizer: PreTrainedTokenizerFast, seed: int
) -> Qwen2_5_VLForConditionalGeneration:
    """The transformers class with small dimensions and seeded weights."""
    half = config.hidden // config.heads // 2
    spatial = (half - half // 4) // 2
    sections = [half - 2 * spatial, spatial, spatial]  # they must sum to head_dim / 2

    def id_of(token: str) -> int:
        index = tokenizer.convert_tokens_to_ids(token)
        assert isinstance(index, int)
        return index

    shape = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": config.hidden,
            "intermediate_size": 2 * config.hidden,
            "num_hidden_layers": config.layers,
            "num_attention_heads": config.heads,
            "num_key_value_heads": config.heads,
            "max_position_embeddings": 2048,
            "initializer_range": config.init_std,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": config.rope_theta,
                "mrope_section": sections,
            },
            "tie_word_embeddings": True,
        },
        vision_config={
            "depth": config.vision_depth,
            "hidden_size": config.vision_hidden,
            "intermediate_size": 2 * config.vision_hidden,
            "num_heads": config.vision_hidden // 32,
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": 2,
            "window_size": 112,
            "out_hidden_size": config.hidden,
            "fullatt_block_indexes": list(range(config.vision_depth)),
            "initializer_range": config.init_std,
        },
        image_token_id=id_of(IMAGE),
        video_token_id=id_of(VIDEO),
        vision_start_token_id=id_of(VISION_START),
        vision_end_token_id=id_of(VISION_END),
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration._from_config(
            shape, attn_implementation="sdpa", dtype=torch.float32
        )
        # A patch has 1176 inputs: the general init would drown the tower in their sum.
        patch = model.model.visual.patch_embed.proj.weight
        nn.init.normal_(patch, std=1 / math.sqrt(patch[0].numel()))
    return model
