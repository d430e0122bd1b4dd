"""The layout's arithmetic, without a cluster."""

from __future__ import annotations

import pytest

from pixel_core.config import PipelineConfig
from pixel_core.errors import ConfigError
from pixel_core.workflow.cluster.layout import broken_rules, check_layout
from pixel_core.workflow.cluster.room import Room, asked, no_room
from pixel_core.workflow.table import BY_NAME, STAGES

RAY = {"on": "ray"}
HGX = Room("a node of eight", cpus=96, gpus=8, memory_gib=1024)


def _config(**sections: object) -> PipelineConfig:
    return PipelineConfig.model_validate(sections)


def _rl(**layout: object) -> PipelineConfig:
    layout = {"train_batch": 128, "scratch": "/shared", **layout}
    return _config(rl={"backend": "openrlhf", "openrlhf": layout, "place": RAY})


def _gpus(stage: str, config: PipelineConfig) -> float:
    return sum(group.count * group.gpus for group in asked(BY_NAME[stage], config))


@pytest.mark.parametrize(
    ("layout", "gpus"),
    [
        ({"nodes": 1, "gpus_per_node": 8, "engines": 8, "tensor_parallel": 1}, 8),
        ({"nodes": 4, "gpus_per_node": 8, "engines": 8, "tensor_parallel": 4}, 32),
        ({"gpus_per_node": 8, "engines": 4, "tensor_parallel": 2, "colocate": False}, 16),
        # Beside each other they need not be equal.
        ({"gpus_per_node": 4, "engines": 3, "colocate": False}, 7),
    ],
)
def test_openrlhf_asks_for_its_trainers_and_for_engines_that_stand_beside(layout, gpus):
    config = _rl(**layout)
    assert broken_rules(BY_NAME["rl"], config) == ()
    assert _gpus("rl", config) == gpus


def test_what_openrlhf_itself_refuses_is_part_of_the_layout():
    with pytest.raises(ConfigError, match=r"rl: openrlhf\.colocate: 4 engines"):
        check_layout([BY_NAME["rl"]], _rl(gpus_per_node=8, engines=4))


def test_every_broken_rule_is_told_at_once_and_once():
    config = _config(
        sft={
            "backend": "ray_train",
            "batch": 4,
            "ray_train": {"workers": 8},
            "place": {**RAY, "gpus": 1.5},
        },
        answers={"engine": {"kind": "vllm", "gpus_per_actor": 1}, "place": RAY},
    )
    with pytest.raises(ConfigError) as refused:
        check_layout(STAGES, config)
    lines = str(refused.value).splitlines()[1:]
    assert len(lines) == 3  # answers of three models share one section
    for line, field in zip(
        lines,
        ("sft.place.gpus 1.5", "workers 8 is above sft.batch 4", "gpus_per_actor 1 without"),
        strict=True,
    ):
        assert field in line


@pytest.mark.parametrize(
    ("engine", "place", "broken"),
    [
        ({"actors": 2, "gpus_per_actor": 4, "vllm": {"tensor_parallel": 4}}, {}, False),
        ({"actors": 2, "gpus_per_actor": 2, "vllm": {"tensor_parallel": 4}}, {}, True),
        ({"actors": 4, "gpus_per_actor": 0.5}, {}, False),
        ({"vllm": {"tensor_parallel": 4}}, {"gpus": 4}, False),
        ({"vllm": {"tensor_parallel": 4}}, {"gpus": 8}, True),
        ({}, {}, False),  # vLLM's CPU build
    ],
)
def test_an_engine_gets_as_many_gpus_as_it_is_parallel(engine, place, broken):
    config = _config(
        answers={"engine": {"kind": "vllm", **engine}, "place": {**RAY, **place}},
    )
    assert bool(broken_rules(BY_NAME["answers_base"], config)) is (broken)


def test_vllm_of_the_gpu_plane_is_refused_without_a_gpu():
    config = _config(
        answers={"engine": {"kind": "vllm"}, "place": RAY}, cluster={"versions": "gpu_plane"}
    )
    (line,) = broken_rules(BY_NAME["answers_base"], config)
    assert "answers.place.gpus 0" in line


def test_too_few_gpus_are_told_with_what_is_asked_and_what_is_there():
    config = _rl(nodes=4, gpus_per_node=8, engines=32)
    (line,) = no_room(BY_NAME["rl"], config, [HGX, HGX])
    assert "rl asks for 32 GPUs (32 x 1 for trainers of OpenRLHF)" in line
    assert "the cluster has 16 (8 + 8)" in line
    assert "rl.openrlhf.gpus_per_node" in line
    assert no_room(BY_NAME["rl"], config, [HGX] * 4) == ()


def test_the_jobs_own_gpus_and_cpus_count_as_well():
    config = _config(
        sft={
            "backend": "ray_train",
            "ray_train": {"workers": 8, "gpus_per_worker": 1, "cpus_per_worker": 12},
            "place": {"on": "ray", "gpus": 1, "cpus": 4},
        }
    )
    gpus, cpus = no_room(BY_NAME["sft"], config, [HGX])
    assert "9 GPUs (1 x 1 for the job itself, 8 x 1 for workers of Ray Train)" in gpus
    assert "100 CPUs (1 x 4 for the job itself, 8 x 12" in cpus


def test_gpus_on_several_nodes_do_not_hold_an_engine_that_needs_them_on_one():
    config = _rl(gpus_per_node=4, engines=1, tensor_parallel=8, colocate=False)
    split = [Room("", 16, 4, 64), Room("", 16, 4, 64), Room("", 16, 4, 64)]
    (line,) = no_room(BY_NAME["rl"], config, split)
    assert "1 x vLLM engines with 8 CPUs, 8 GPUs on one node each" in line
    assert "have room for 0" in line
    assert no_room(BY_NAME["rl"], config, [HGX, *split]) == ()


def test_memory_that_no_node_has_is_told():
    config = _config(base_model={"place": {"on": "ray", "memory_gib": 2048}})
    (line,) = no_room(BY_NAME["base_model"], config, [HGX])
    assert "2048 GiB of memory" in line
    assert "base_model.place" in line


def test_stages_that_start_no_workers_ask_for_their_own_process_only():
    off = _config(
        sft={"steps": 0, "backend": "ray_train", "ray_train": {"gpus_per_worker": 1}},
        text_only={"engine": {"actors": 8, "gpus_per_actor": 1}},
    )
    assert _gpus("sft", off) == 0
    assert _gpus("text_only", off) == 0
    asking = _config(text_only={"share": 0.2, "engine": {"actors": 8, "gpus_per_actor": 1}})
    assert _gpus("text_only", asking) == 8
