"""Adapters that the real peft trains and saves: merged here as peft merges them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_world import tiny

from pixel_core.errors import DataError
from pixel_core.models.adapter import read_adapter
from pixel_core.models.loading import load_model, save_model
from pixel_core.models.merging import merge
from pixel_core.workflow.stage import SilentProgress

PLAIN = {"r": 4, "lora_alpha": 12, "target_modules": ["q_proj", "down_proj"]}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("base")
    save_model(tiny().model, tiny().vocabulary.tokenizer, out)
    return out / "model"


def saved(base: Path, folder: Path, settings: dict[str, Any]) -> Path:
    from peft import LoraConfig, get_peft_model

    warnings.simplefilter("ignore")  # it warns of each kind that is tried here
    adapted = get_peft_model(
        load_model(base, folder_name="")[0], LoraConfig(**PLAIN | settings)
    )
    draw = torch.Generator().manual_seed(1)
    for weight in adapted.parameters():
        if weight.requires_grad:
            weight.data = torch.randn(weight.shape, generator=draw) / 10
    adapted.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_rslora": True},
        {"target_modules": "all-linear"},
        {"layers_to_transform": [0]},
        {"rank_pattern": {"layers.0.self_attn.q_proj": 2}, "alpha_pattern": {"down_proj": 3}},
        {"bias": "all", "target_modules": ["qkv"]},
        {"bias": "lora_only", "target_modules": ["qkv"]},
        {"modules_to_save": ["norm"]},
        {"target_modules": ["patch_embed.proj"]},
        {"init_lora_weights": "orthogonal"},
    ],
)
def test_merged_as_peft_merges(settings: dict[str, Any], base: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    folder = saved(base, tmp_path / "adapter", settings)
    (tmp_path / "out").mkdir()
    merge(read_adapter(folder), base, tmp_path / "out", SilentProgress())
    found = load_model(tmp_path / "out", folder_name="")[0].state_dict()
    fresh, _ = load_model(base, folder_name="")
    theirs = PeftModel.from_pretrained(fresh, folder).merge_and_unload().state_dict()
    assert found.keys() == theirs.keys()
    for name, weight in theirs.items():
        torch.testing.assert_close(found[name], weight, msg=name)
    assert any(not torch.equal(v, theirs[k]) for k, v in tiny().model.state_dict().items())


@pytest.mark.parametrize(
    "settings",
    [
        {"use_dora": True},
        {"lora_bias": True, "target_modules": ["qkv"]},
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "olora"},
        {"trainable_token_indices": [1, 2]},
        {"modules_to_save": ["lm_head"]},  # tied to the embeddings here
    ],
)
def test_other_kinds_are_refused(settings: dict[str, Any], base: Path, tmp_path: Path) -> None:
    folder = saved(base, tmp_path / "adapter", settings)
    with pytest.raises(DataError, match="merge_and_unload"):
        merge(read_adapter(folder), base, tmp_path, SilentProgress())
