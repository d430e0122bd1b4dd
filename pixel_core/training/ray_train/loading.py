"""The base model as a training worker needs it, and the trained one as an artifact."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

from pixel_core.config import RayTrainConfig
from pixel_core.errors import ConfigError, DataError
from pixel_core.models.loading import FOLDER, save_model
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.training.ray_train import checkpoint
from pixel_core.workflow.stage import Workspace

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def load_for_training(artifact: Path, config: RayTrainConfig) -> tuple[Any, Vocabulary]:
    """The model on the CPU, in the type its files have: half the memory of float32 for a
    released model, and exact, as each parameter becomes float32 when it is divided."""
    model, vocabulary = _load(artifact, "auto", config.attention)
    if config.gradient_checkpointing:
        with warnings.catch_warnings():
            # It has a new name in later versions, which the GPU plane's does not know yet.
            warnings.simplefilter("ignore", FutureWarning)
            model.gradient_checkpointing_enable({"use_reentrant": False})
        # Checkpointing acts in training mode alone. The model has no dropout.
        model.train()
    return model, vocabulary


def write_trained(
    base_model: Path, config: RayTrainConfig, work: Workspace, head: checkpoint.Head, out: Path
) -> None:
    """The checkpoint's weights as ``out/model``, in the type training computed in."""
    model, vocabulary = _load(base_model, _DTYPES[config.dtype], "sdpa")
    own = dict(model.named_parameters())
    missing = set(own)
    for part in checkpoint.read(work, head, checkpoint.WEIGHTS):
        for name, tensors in part.items():
            own[name].data.copy_(tensors["weight"])
        missing -= set(part)
    if missing:
        raise DataError(f"the last checkpoint lacks {sorted(missing)[0]} and others; run again")
    save_model(model, vocabulary.tokenizer, out)


def _load(artifact: Path, dtype: Any, attention: str) -> tuple[Any, Vocabulary]:
    folder = artifact / FOLDER
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            folder, dtype=dtype, attn_implementation=attention
        )
    except ImportError as error:
        raise ConfigError(
            f"sft.ray_train.attention {attention!r} cannot be used here: {error}. Install it "
            "in the workers' environment, or set it to 'sdpa'"
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} is not a Qwen2.5-VL model: {error}") from error
    return model.eval(), Vocabulary.of(tokenizer, rows=model.lm_head.out_features)
