"""Model artifacts: a folder that transformers reads, with its tokenizer.

transformers and torch are imported when a model is: they take seconds, and a run whose workers
have the models does not need them itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pixel_core.errors import DataError
from pixel_core.models.model_files import FOLDER
from pixel_core.rollout.vocabulary import Vocabulary


def save_model(model: Any, tokenizer: Any, out: Path) -> None:
    """Write weights, configuration and tokenizer under ``out/model``; stable bytes."""
    _without_bars()
    model.save_pretrained(out / FOLDER)
    # Loading notes whether it might ask the hub. That is of the machine, and not of the
    # tokenizer: the same model would have other bytes where HF_HUB_OFFLINE is set.
    if tokenizer.init_kwargs.get("local_files_only"):
        tokenizer.init_kwargs["local_files_only"] = False
    tokenizer.save_pretrained(out / FOLDER)


def load_vocabulary(artifact: Path, folder_name: str = FOLDER) -> Vocabulary:
    """The words of a stage's model, without its weights."""
    from transformers import AutoTokenizer

    folder = artifact / folder_name
    try:
        return Vocabulary.of(AutoTokenizer.from_pretrained(folder))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} has no tokenizer: {error}") from error


def load_model(
    artifact: Path, device: str = "cpu", folder_name: str = FOLDER
) -> tuple[Any, Vocabulary]:
    """The model and its vocabulary from a stage's folder.

    ``folder_name``: of the model's folder in the artifact; "" for the artifact itself, which
    then is a folder as transformers writes it. Raises ``DataError`` for no such model, or one
    that lacks weights: transformers would make them up.

    Float32 on a CPU, where bfloat16 is no faster and training needs the precision.
    """
    import torch
    from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

    _without_bars()
    folder = artifact / folder_name
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        loaded: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            folder,
            dtype=torch.float32 if device == "cpu" else torch.bfloat16,
            attn_implementation="sdpa",
            output_loading_info=True,
        )
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} is not a Qwen2.5-VL model: {error}") from error
    model, found = loaded
    lacking = sorted({*found["missing_keys"], *map(str, found["mismatched_keys"])})
    if lacking:
        raise DataError(
            f"{folder} lacks {len(lacking)} of its weights or has them in other shapes "
            f"({lacking[0]}): copy the model again"
        )
    model.eval().to(torch.device(device))
    return model, Vocabulary.of(tokenizer, rows=model.lm_head.out_features)


def _without_bars() -> None:
    """Bars over a fraction of a second, from every worker, would bury our own progress."""
    from transformers.utils import logging

    logging.disable_progress_bar()
