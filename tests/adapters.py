"""LoRA adapters as peft saves them, of a tiny model, made without peft.

``real_names``: how peft 0.21 calls the tensors of a Qwen2.5-VL; the layout of the two files is
from its documentation (developer guides, "PEFT checkpoint format").
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

Tensors = dict[str, torch.Tensor]

#: What peft puts before a module's name.
BEFORE = "base_model.model."
LAYER = "model.language_model.layers.0."
QUERY = f"{LAYER}self_attn.q_proj"
DOWN = f"{LAYER}mlp.down_proj"
VISION = "model.visual.blocks.0.attn.qkv"


def factors(model: Any, modules: dict[str, int], seed: int = 0) -> Tensors:
    """Random factors of these modules of a loaded model, each with its rank."""
    draw = torch.Generator().manual_seed(seed)
    made: Tensors = {}
    for module, rank in modules.items():
        rows, columns = model.get_submodule(module).weight.shape
        made[f"{BEFORE}{module}.lora_A.weight"] = torch.randn(rank, columns, generator=draw)
        made[f"{BEFORE}{module}.lora_B.weight"] = torch.randn(rows, rank, generator=draw)
    return made


def write_adapter(folder: Path, base: Path | str, tensors: Tensors, **settings: Any) -> Path:
    """The two files. The settings that are not given are peft's own defaults."""
    folder.mkdir(parents=True, exist_ok=True)
    stated = {
        "alpha_pattern": {},
        "base_model_name_or_path": str(base),
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "layer_replication": None,
        "loftq_config": {},
        "lora_alpha": 8,
        "lora_bias": False,
        "lora_dropout": 0.05,
        "megatron_core": "megatron.core",
        "modules_to_save": None,
        "peft_type": "LORA",
        "qalora_group_size": 16,
        "r": 4,
        "rank_pattern": {},
        "revision": None,
        "target_modules": ["q_proj", "down_proj"],
        "task_type": "CAUSAL_LM",
        "use_dora": False,
        "use_qalora": False,
        "use_rslora": False,
    }
    text = json.dumps(stated | settings, indent=2)
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    return folder
