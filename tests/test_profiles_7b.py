"""The profiles of the released models: the paper's numbers, layouts, and planning anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.errors import ConfigError
from pixel_core.workflow.cluster.layout import check_layout
from pixel_core.workflow.planning import plan
from pixel_core.workflow.store import Store
from pixel_core.workflow.store.identity import identity, key_of
from pixel_core.workflow.store.named_function import named_function
from pixel_core.workflow.table import STAGES, stages_of

PIXEL = Path(sys.executable).with_name("pixel")
RELEASED = ("qwen2_5_vl_7b", "qwen2_5_vl_7b_4x8", "qwen2_5_vl_72b")
TOKEN = 28 * 28

#: arXiv 2505.15966 v3 and, where it is silent, the authors' training scripts.
PAPER: dict[str, Any] = {
    "dialogue.prompt": "full",
    "dialogue.picture.min_pixels": 4 * TOKEN,
    "dialogue.picture.max_pixels": 2000 * TOKEN,
    "dialogue.crop.min_pixels": 4 * TOKEN,
    "dialogue.crop.max_pixels": 1000 * TOKEN,
    "dialogue.frames.selected.max_pixels": 400 * TOKEN,
    "dialogue.frames.max_frames": 8,
    "dialogue.zoom.padding": 0.1,
    "dialogue.zoom.min_side": 28,
    "dialogue.max_operations": 4,
    "dialogue.max_pictures": 16,
    "dialogue.max_new_tokens": 2048,
    "dialogue.max_tokens": 12_000,
    "synthesize.kinds.single_pass": 0.3,
    "synthesize.kinds.recrop_once": 0.2,
    "synthesize.kinds.recrop_twice": 0.2,
    "synthesize.kinds.further_zoom": 0.3,
    "synthesize.video_kinds.single_pass": 0.9,
    "synthesize.video_kinds.reselect": 0.1,
    "sft.batch": 128,
    "sft.freeze_vision": True,
    "sft.optimizer.learning_rate": 1e-6,
    "sft.optimizer.schedule": "cosine",
    "sft.ray_train.dtype": "bfloat16",
    "rl.queries": 512,
    "rl.group": 8,
    "rl.advantage": "mean",
    "rl.clip_low": 0.2,
    "rl.clip_high": 0.2,
    "rl.kl": 0.0,
    "rl.entropy": 0.0,
    "rl.sampling.temperature": 1.0,
    "rl.sampling.top_p": 0.95,
    "rl.reward.preset": "paper",
    "rl.reward.alpha": 0.5,
    "rl.reward.beta": 0.05,
    "rl.reward.rapr_target": 0.3,
    "rl.reward.free_operations": 1,
    "rl.optimizer.learning_rate": 1e-6,
    "rl.optimizer.schedule": "cosine",
    "rl.openrlhf.train_batch": 256,
    "benchmarks.answers.picture.min_pixels": 512 * TOKEN,
    "benchmarks.answers.picture.max_pixels": 5120 * TOKEN,
    "benchmarks.answers.sampling.temperature": 0.0,
}
TRAJECTORIES, WITH_OPERATION, EPOCHS = 7_500, 5_500, 5


def value(config: PipelineConfig, path: str) -> Any:
    return reduce(getattr, path.split("."), config)


@pytest.mark.parametrize("profile", RELEASED)
def test_the_numbers_are_the_papers(profile: str) -> None:
    config = load_profile(profile)
    assert {path: value(config, path) for path in PAPER} == PAPER
    epochs = config.sft.steps * config.sft.batch / TRAJECTORIES
    assert epochs == pytest.approx(EPOCHS, abs=0.01)
    assert config.sft.optimizer.warmup_steps == round(0.1 * config.sft.steps)
    assert config.rl.optimizer.warmup_steps == round(0.03 * config.rl.steps)
    assert 1 - config.text_only.share == pytest.approx(WITH_OPERATION / TRAJECTORIES, abs=1e-3)


@pytest.mark.parametrize("profile", RELEASED)
def test_layouts_divide_what_they_share_out(profile: str) -> None:
    config = load_profile(profile)
    rl, gpus = config.rl.openrlhf, config.rl.openrlhf.nodes * config.rl.openrlhf.gpus_per_node
    assert rl.engines * rl.tensor_parallel == gpus, "colocated engines cover the trainer's GPUs"
    assert config.sft.batch % config.sft.ray_train.workers == 0
    assert config.sft.ray_train.workers * config.sft.ray_train.gpus_per_worker == gpus
    assert rl.train_batch % (gpus * rl.micro_train) == 0
    assert config.rl.queries * config.rl.group % rl.train_batch == 0
    engines = (config.answers, config.text_only, config.benchmarks.answers)
    for engine in (section.engine for section in engines):
        assert engine.kind == "vllm"
        assert engine.gpus_per_actor == engine.vllm.tensor_parallel
        assert engine.actors * engine.gpus_per_actor == gpus


@pytest.mark.parametrize("profile", RELEASED)
def test_what_is_told_before_a_run_has_nothing_against_the_layout(profile: str) -> None:
    config = load_profile(profile)
    away = [stage for stage in stages_of(config) if stage.place(config).on == "ray"]
    check_layout(away, config)
    for stage in stages_of(config):
        if stage.ready:
            named_function(stage.ready)(config)


def test_more_nodes_make_the_same_artifacts() -> None:
    one, four = load_profile("qwen2_5_vl_7b"), load_profile("qwen2_5_vl_7b_4x8")
    assert len(stages_of(one)) > len(STAGES), "no benchmark"
    digests = {stage.name: "0" * 64 for stage in stages_of(one)}
    for stage in stages_of(one):
        needs = {name: digests[name] for name in stage.needs}
        keys = {key_of(identity(stage, config, needs)) for config in (one, four)}
        assert len(keys) == 1, stage.name


@pytest.mark.parametrize("profile", RELEASED)
def test_heavy_stages_run_on_the_cluster_and_light_ones_here(profile: str) -> None:
    config = load_profile(profile)
    stages = stages_of(config)
    away = {stage.name for stage in stages if stage.place(config).on == "ray"}
    answers = {stage.name for stage in stages if stage.name.startswith("answers_")}
    assert {"answers_policy", "answers_vstar_policy", "answers_mvbench_base_notool"} < answers
    assert away == {"base_model", "text_only", "sft", "rl"} | answers


@pytest.mark.parametrize("profile", RELEASED)
def test_planning_needs_no_network_no_data_and_no_cluster(profile: str, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "HF_ENDPOINT": nowhere,
        "HTTPS_PROXY": nowhere,
        "HTTP_PROXY": nowhere,
        "PYTHONPROFILEIMPORTTIME": "1",
    }
    environment.pop("HF_HUB_OFFLINE", None)
    ended = subprocess.run(
        [str(PIXEL), "plan", "--profile", profile, "--json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    decisions = json.loads(ended.stdout)
    stages = stages_of(load_profile(profile))
    assert [decision["stage"] for decision in decisions] == [stage.name for stage in stages]
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "json" in imported
    assert not {"torch", "prefect", "ray", "transformers"} & imported


def test_a_model_without_its_commit_is_refused_with_the_setting(tmp_path: Path) -> None:
    config = load_profile("qwen2_5_vl_7b", ["base_model.pretrained.revision=main"])
    with pytest.raises(ConfigError, match=r"pretrained\.revision to be a 40-digit commit"):
        plan(config, Store.open(str(tmp_path)))
