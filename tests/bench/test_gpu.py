"""The benchmarks for GPUs on a CPU: they run, and count the work as torch does."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from test_bench_runs import figures
from torch.utils.flop_counter import FlopCounterMode

from bench.gpu.architecture import (
    QWEN2_5_VL_7B,
    TINY,
    Architecture,
    SpecialTokens,
    build,
    parameters,
)
from bench.gpu.sft_step import parsed, sample, work
from pixel_core.models.batch import collate
from pixel_core.training.ray_train.forward import Scorer, inputs_of


@pytest.mark.ci
def test_a_step_is_measured() -> None:
    said = figures("gpu.sft_step", "--tiny", "--samples", "2")
    assert set(said) == {"tokens", "samples", "compute", "utilisation"}
    assert all(
        math.isfinite(figure["value"]) and figure["value"] > 0 for figure in said.values()
    )
    assert said["tokens"]["value"] == pytest.approx(said["samples"]["value"] * 80)


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("shape", [TINY, replace(TINY, whole=(0, 1), kv_heads=4, layers=3)])
def test_the_work_is_what_torch_counts(shape: Architecture, frozen: bool) -> None:
    asked = parsed(["--tiny", "--pixels", "150", "35"])
    transcript = sample(shape, asked, 0)
    special = SpecialTokens.of(shape)
    # Torch counts the products of the plain attention, and not those of every kernel.
    scorer = Scorer(build(shape, "eager"), ())
    scorer.model.model.visual.requires_grad_(not frozen)
    inputs = inputs_of(collate([transcript], special.pad, special.image))
    with FlopCounterMode(display=False) as forward:
        loss, _ = scorer(**inputs)
    with FlopCounterMode(display=False) as backward:
        loss.backward()
    done = work(shape, [transcript])
    assert forward.get_total_flops() == pytest.approx(done.forward, rel=0.02)
    both = forward.get_total_flops() + backward.get_total_flops()
    assert both == pytest.approx(done.training(frozen_tower=frozen), rel=0.03)


def test_the_7b_architecture_has_its_parameters() -> None:
    # 8.29 billion, of them 0.68 in the vision tower: the released weights' index.
    assert parameters(QWEN2_5_VL_7B) == 8_292_166_656
    assert parameters(QWEN2_5_VL_7B, tower=False) == pytest.approx(7.62e9, rel=1e-2)
    with torch.device("meta"):
        model = build(QWEN2_5_VL_7B)
    assert model.config.image_token_id == 151_655
    assert model.config.vision_start_token_id == 151_652
