"""Our command line read by the installed OpenRLHF's own parser, with its own assertions.

Its ``__main__`` block is run as it stands, with ``train`` replaced: nothing needs a GPU.
"""

from __future__ import annotations

import ast
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import get_scheduler

from pixel_core.config import DialogueConfig, OptimizerConfig, RlConfig
from pixel_core.config.profile import load_profile
from pixel_core.errors import ConfigError
from pixel_core.training.openrlhf.arguments import build_arguments
from pixel_core.training.openrlhf.places import RunFolder
from pixel_core.training.optimizer import rate_factor

FOLDER = RunFolder(Path("/scratch/run"))
SMALL = {
    "train_batch": 8,
    "gpus_per_node": 1,
    "engines": 1,
    "micro_rollout": 1,
    "scratch": "/scratch",
}


def parsed(arguments: list[str]) -> Any:
    """What its ``train`` would be given. ``AssertionError`` and ``SystemExit`` are its own."""
    (path,) = (
        distribution("openrlhf").locate_file(file)
        for file in distribution("openrlhf").files or ()
        if str(file) == "openrlhf/cli/train_ppo_ray.py"
    )
    tree = ast.parse(Path(str(path)).read_text())
    (main,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
    )
    given: list[Any] = []
    names: dict[str, Any] = {"train": given.append}
    exec("import argparse, os\nfrom datetime import datetime", names)
    before = sys.argv
    sys.argv = ["train_ppo_ray", *arguments]
    try:
        exec(compile(ast.Module(main.body, []), str(path), "exec"), names)
    finally:
        sys.argv = before
    return given[0]


def rl(**changes: Any) -> RlConfig:
    """Two queries of four rollouts a step, on one GPU."""
    layout = SMALL | changes.pop("openrlhf", {})
    values = {"backend": "openrlhf", "queries": 2, "group": 4, "steps": 10, "openrlhf": layout}
    return RlConfig.model_validate(values | changes)


def read(config: RlConfig, dialogue: DialogueConfig | None = None) -> Any:
    return parsed(build_arguments(config, dialogue or DialogueConfig(), FOLDER, 16))


@pytest.mark.parametrize("profile", ["qwen2_5_vl_7b", "qwen2_5_vl_7b_4x8", "qwen2_5_vl_72b"])
def test_the_profiles_are_taken(profile: str) -> None:
    config = load_profile(profile)
    args = read(config.rl, config.dialogue)
    gpus = args.actor.num_nodes * args.actor.num_gpus_per_node
    assert gpus == {"qwen2_5_vl_7b": 8}.get(profile, 32)
    assert args.vllm.num_engines * args.vllm.tensor_parallel_size == gpus
    assert (args.train.colocate_all, args.vllm.enable_sleep, args.ds.enable_sleep) == (
        True,
    ) * 3
    # The paper's numbers.
    assert (args.rollout.batch_size, args.rollout.n_samples_per_prompt) == (512, 8)
    assert (args.train.batch_size, args.rollout.temperature, args.rollout.top_p) == (
        256,
        1,
        0.95,
    )
    assert (args.actor.adam.lr, args.algo.kl.init_coef) == (1e-6, 0.0)
    assert (args.data.max_len, args.rollout.max_new_tokens) == (12000, 2048)
    assert args.train.agent_func_path == "/scratch/run/agent.py"
    assert args.reward.remote_url == ["agent"]


@pytest.mark.parametrize(
    ("layout", "colocated"),
    [
        ({"gpus_per_node": 8, "engines": 4, "tensor_parallel": 2, "train_batch": 64}, True),
        ({"gpus_per_node": 4, "engines": 3, "colocate": False, "train_batch": 64}, False),
        (
            {"nodes": 2, "gpus_per_node": 4, "engines": 8, "train_batch": 32, "zero_stage": 2},
            True,
        ),
    ],
)
def test_other_layouts(layout: dict[str, Any], colocated: bool) -> None:
    args = read(rl(queries=16, kl=0.01, openrlhf=layout))
    assert args.train.colocate_all is args.vllm.enable_sleep is colocated
    assert args.train.colocate_actor_ref is not colocated  # the reference model's GPUs
    assert (args.ref.num_nodes, args.ref.num_gpus_per_node) == (
        args.actor.num_nodes,
        args.actor.num_gpus_per_node,
    )


def test_what_vision_models_cannot_do_is_never_asked() -> None:
    args = read(rl(validate_every=2))
    assert args.data.max_images_per_prompt == 16
    assert args.critic.model_name_or_path is None
    assert not args.ds.packing_samples
    assert not args.train.dynamic_batch_enable
    assert not args.algo.dynamic_filtering_enable
    assert not args.train.async_enable
    assert not args.ds.use_liger_kernel
    assert (args.ds.ring_attn_size, args.ds.lora.rank) == (1, 0)
    # A second correction of the policy's ratio, and rewards of its own, are not the method.
    assert args.algo.advantage.is_correction_level == "off"
    assert args.reward.overlong_buffer_len is args.reward.stop_properly_penalty_coef is None
    assert args.actor.policy_loss_type == "ppo"
    assert args.actor.loss_agg_mode == "token-mean"
    assert args.actor.dual_clip is None


def test_the_method_arrives_as_it_was_set() -> None:
    args = read(
        rl(
            seed=7,
            clip_low=0.1,
            clip_high=0.35,
            kl=0.001,
            entropy=0.01,
            freeze_vision=True,
            validate_every=3,
            sampling={"temperature": 0.7, "top_p": 0.9},
            optimizer={"learning_rate": 3e-7, "betas": (0.8, 0.99), "max_grad_norm": 0.3},
        )
    )
    assert args.train.seed == 7
    assert args.actor.eps_clip_low_high == [0.1, 0.35]
    assert (args.algo.kl.use_loss, args.algo.kl.init_coef, args.algo.kl.estimator) == (
        True,
        0.001,
        "k3",
    )
    assert args.actor.entropy_coef == 0.01
    assert args.actor.freeze_visual_encoder
    assert (args.rollout.temperature, args.rollout.top_p) == (0.7, 0.9)
    assert (args.actor.adam.lr, args.actor.adam.betas) == (3e-7, [0.8, 0.99])
    assert (args.actor.max_norm, args.actor.optim) == (0.3, "adam")
    assert (args.eval.steps, args.eval.temperature, args.eval.n_samples_per_prompt) == (3, 0, 1)
    assert args.algo.advantage.estimator == "dr_grpo"
    assert args.reward.clip_range == [-1e6, 1e6]
    assert (args.ckpt.load_enable, args.ckpt.path) == (True, "/scratch/run/checkpoints")
    quiet = read(rl())
    assert quiet.algo.kl.init_coef == 0
    assert quiet.actor.entropy_coef is None
    assert not quiet.eval.dataset


@pytest.mark.parametrize(
    ("layout", "named"),
    [
        ({"gpus_per_node": 8, "engines": 4, "train_batch": 64}, "engines x tensor_parallel"),
        ({"train_batch": 6}, "not a multiple of openrlhf.train_batch 6"),
        ({"train_batch": 8, "micro_train": 3}, "openrlhf.micro_train 3"),
        ({"micro_rollout": 3}, "openrlhf.micro_rollout 3"),
        ({"nodes": 2, "engines": 2, "scratch": ""}, "openrlhf.scratch is empty"),
    ],
)
def test_layouts_that_do_not_come_out_even_are_refused(
    layout: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        read(rl(openrlhf=layout))


def test_its_own_assertion_would_have_met_the_smallest_batch_later() -> None:
    """What we refuse before the run it refuses too, once it is started."""
    arguments = build_arguments(rl(), DialogueConfig(), FOLDER, 16)
    with pytest.raises(AssertionError, match="number of sample batches"):
        parsed([*arguments, "--actor.num_gpus_per_node", "32"])
    with pytest.raises(AssertionError, match="packing_samples"):
        parsed([*arguments, "--ds.packing_samples"])
    with pytest.raises(AssertionError, match="critic"):
        parsed([*arguments, "--algo.advantage.estimator", "gae"])


@pytest.mark.parametrize(
    ("optimizer", "apart"),
    [
        (OptimizerConfig(schedule="constant"), 0.0),
        (OptimizerConfig(schedule="linear"), 0.0),
        (OptimizerConfig(schedule="cosine", final=0.1), 0.0),
        # Its warm-up begins at 0 and its cosine with the warm-up's end: at most a step's
        # share of the warm-up, and the part of the cosine that ours has gone by then.
        (OptimizerConfig(schedule="constant", warmup_steps=5), 1 / 5),
        (OptimizerConfig(schedule="cosine", warmup_steps=5), 1 / 5 + 0.01),
    ],
)
def test_the_learning_rates_it_makes_of_it(optimizer: OptimizerConfig, apart: float) -> None:
    steps = 100
    args = read(rl(steps=steps, optimizer=optimizer.model_dump()))
    weight = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    least = {"min_lr_rate": args.actor.min_lr_ratio}
    name = args.actor.lr_scheduler
    schedule = get_scheduler(
        name,
        weight,
        # As DeepspeedStrategy does; one optimizer step a step here.
        num_warmup_steps=-int(-steps * args.actor.lr_warmup_ratio // 1),
        num_training_steps=steps,
        scheduler_specific_kwargs=least if name == "cosine_with_min_lr" else {},
    )
    widest = 0.0
    for step in range(steps):
        widest = max(
            widest, abs(schedule.get_last_lr()[0] - rate_factor(optimizer, step, steps))
        )
        weight.step()
        schedule.step()
    assert widest <= apart + 1e-6
