"""What OpenRLHF can't do is refused by its field's name, when the settings are read or before
a run begins; and what it does not use is no part of an artifact's key."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from pixel_core.config import PipelineConfig, RlConfig
from pixel_core.config.profile import load_profile
from pixel_core.errors import ConfigError
from pixel_core.training.openrlhf.picture_caches import forget_pictures_with_prefixes
from pixel_core.training.openrlhf.ready import check
from pixel_core.workflow.store.identity import canonical


def rl(**values: Any) -> RlConfig:
    return RlConfig.model_validate({"backend": "openrlhf"} | values)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"reward": {"preset": "lagrangian"}}, "reward.preset 'lagrangian'"),
        ({"resample_rounds": 2}, "resample_rounds 2"),
        ({"replay": {"capacity": 64}}, "replay.capacity 64"),
        ({"keep": "best", "validate_every": 5}, "keep 'best'"),
        ({"guards": {"loss_spike": {"action": "stop"}}}, "guards.loss_spike.action 'stop'"),
        ({"guards": {"rapr_collapse": {"action": "stop"}}}, "guards.rapr_collapse.action"),
        ({"guards": {"non_finite": {"action": "warn"}}}, "guards.non_finite.action 'warn'"),
        ({"optimizer": {"kind": "muon"}}, "optimizer.kind 'muon'"),
        ({"optimizer": {"weight_decay": 0.1}}, "optimizer.weight_decay 0.1"),
        ({"optimizer": {"schedule": "cosine", "hold": 0.4}}, "optimizer.hold 0.4"),
        ({"optimizer": {"schedule": "linear", "final": 0.1}}, "optimizer.final 0.1"),
    ],
)
def test_a_method_it_does_not_have_is_refused(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        rl(**values)
    assert named in str(refused.value)
    RlConfig.model_validate(values)  # our own trainer has them all


def test_all_refusals_are_told_at_once_through_a_profile() -> None:
    with pytest.raises(ConfigError, match=r"(?s)resample_rounds 1.*optimizer\.kind"):
        load_profile(
            "tiny",
            [
                "rl.backend=openrlhf",
                "rl.resample_rounds=1",
                "rl.optimizer.kind=muon",
            ],
        )


def test_layouts_are_checked_before_the_first_stage() -> None:
    check(load_profile("qwen2_5_vl_7b"))
    check(PipelineConfig(rl={"openrlhf": {"train_batch": 7}}))  # not in use
    uneven = {"backend": "openrlhf", "queries": 16, "openrlhf": {"train_batch": 7}}
    with pytest.raises(ConfigError, match="train_batch 7 cannot be shared by 8"):
        check(PipelineConfig(rl=uneven))


def test_only_what_shapes_the_weights_is_part_of_the_key() -> None:
    before = canonical(rl(), "rl")
    assert canonical(rl(shards=4), "rl") == before
    places = {"nodes": 4, "engines": 32, "scratch": "/mnt", "micro_train": 4, "zero_stage": 2}
    assert canonical(rl(openrlhf=places), "rl") == before
    assert canonical(rl(openrlhf={"train_batch": 128}), "rl") != before
    assert canonical(RlConfig(), "rl") != before


class Engine:
    """The part of vLLM's engine that forgets."""

    def __init__(self) -> None:
        self.emptied: list[str] = []

    async def reset_prefix_cache(self) -> bool:
        self.emptied.append("prefixes")
        return True

    async def reset_mm_cache(self) -> None:
        self.emptied.append("inputs")

    async def reset_encoder_cache(self) -> None:
        self.emptied.append("pictures")


def test_pictures_are_forgotten_with_the_prefixes_and_once() -> None:
    engine = Engine()
    actor = SimpleNamespace(llm=engine)
    for _ in range(3):  # every rollout asks for it
        forget_pictures_with_prefixes(actor)
    assert asyncio.run(engine.reset_prefix_cache())
    assert sorted(engine.emptied) == ["inputs", "pictures", "prefixes"]
    forget_pictures_with_prefixes(SimpleNamespace())  # an actor without an engine
