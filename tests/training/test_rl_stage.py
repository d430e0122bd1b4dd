"""The stage ``rl`` on a small world: what it carries, what it refuses, what it hands on."""

from __future__ import annotations

from itertools import pairwise

import pytest
from small_run import CURIOUS, Cut, Ran, SmallRun

from pixel_core.config import (
    GuardsConfig,
    OptimizerConfig,
    ReplayConfig,
    RewardConfig,
    RlConfig,
)
from pixel_core.config.guards import LossSpikeGuard

#: Everything that a step may leave to the next one, at once.
ALL = CURIOUS.model_copy(
    update={
        "steps": 6,
        "reward": RewardConfig(preset="lagrangian"),
        "replay": ReplayConfig(capacity=24, max_age=4, clear_every=5),
        "resample_rounds": 1,
        "kl": 0.01,
        "entropy": 0.01,
        "validate_every": 2,
        "keep": "best",
    }
)


@pytest.fixture(scope="session")
def full(small: SmallRun) -> Ran:
    return small.rl("full", ALL)


def same(a: Ran, b: Ran) -> None:
    assert a.curve() == b.curve()
    assert a.health() == b.health()
    assert a.metrics == b.metrics
    assert a.weights() == b.weights()


@pytest.mark.ci
def test_two_workers_make_the_bits_of_one(small: SmallRun, full: Ran) -> None:
    same(small.staged("two", workers=2, rl=ALL), full)


def test_a_run_cut_between_checkpoints_resumes_to_the_same_bits(
    small: SmallRun, full: Ran
) -> None:
    for cut_at in (3, 6):  # once before a sample was ever replayed, once after
        with pytest.raises(Cut):
            small.rl("cut", ALL, cut_at=cut_at)
    resumed = small.rl("cut", ALL)
    assert resumed.notes == ["rl: going on from step 4 of 6"]
    same(resumed, full)


def test_the_curve_tells_what_was_done(full: Ran) -> None:
    rows = full.curve()
    assert rows[0]["replayed"] == 0, "there is nothing to replay in the first step"
    assert any(row["replayed"] > 0 for row in rows)
    for row in rows:
        assert row["rounds"] >= 1
        assert row["buffer_size"] <= 24
        if "replay_age" in row:
            assert 1 <= row["replay_age"] <= 4
        # Fresh rollouts were sampled by the weights they train, replayed ones were not.
        assert abs(row["kl_sampler"]) < 1e-5
    assert any(row["rounds"] > 1 for row in rows)
    # What operations do: the habit's one box hits some cues, and misses others.
    for row in rows:
        sides = [row.get(f"cue_accuracy_{side}_operation") for side in ("with", "without")]
        pays = None if None in sides else pytest.approx(sides[0] - sides[1], abs=2e-6)
        assert row.get("operation_pays") == pays
        assert ("operation_hits" in row) is (row["cue_rapr"] > 0)
        assert row["entropy"] > 0
    # The policy starts as the warm start, and leaves it.
    assert rows[0]["kl_warm_start"] < 1e-6 < rows[-1]["kl_warm_start"]


def test_the_prices_follow_the_batches(full: Ran) -> None:
    config, rows = ALL.reward.lagrangian, full.curve()
    assert rows[0]["dual_rapr"] == config.rapr_initial
    assert rows[0]["dual_operations"] == config.operations_initial
    for row, after in pairwise(rows):
        wanting = ALL.reward.rapr_target - row["rapr"]
        moved = after["dual_rapr"] - row["dual_rapr"]
        if wanting > 0:
            assert moved == pytest.approx(config.rapr_rate * wanting, rel=1e-4)
        else:
            assert moved <= 0
    called = [row["reward_curiosity"] for row in rows if row["rapr"] > 0]
    paid = [row["dual_rapr"] * row["rapr"] for row in rows if row["rapr"] > 0]
    assert called == pytest.approx(paid, rel=1e-4)


def test_the_best_weights_are_those_of_a_run_that_ended_there(
    small: SmallRun, full: Ran
) -> None:
    scores = {r["step"]: r["validation_accuracy"] for r in full.curve() if r["step"] % 2 == 0}
    kept = full.metrics["kept_step"]
    assert full.metrics["kept_validation_accuracy"] == pytest.approx(scores[kept], rel=1e-5)
    assert scores[kept] == max(scores.values())
    ended = small.rl("ended", ALL.model_copy(update={"steps": kept, "keep": "last"}))
    assert ended.weights() == full.weights()
    assert ended.metrics["kept_step"] == kept


BRIEF = CURIOUS.model_copy(update={"queries": 2, "checkpoint_every": 6})


def stopping(**changes: object) -> RlConfig:
    """Any loss above its median counts as a spike, once there is one."""
    guards = GuardsConfig(loss_spike=LossSpikeGuard(action="stop", threshold=1.001))
    return BRIEF.model_copy(update={"steps": 24, "guards": guards, **changes})


def test_a_guard_stops_before_the_update_and_the_artifact_is_made(small: SmallRun) -> None:
    stopped = small.rl("stopped", stopping())
    at = stopped.metrics["stopped_at"]
    assert stopped.metrics["stopped_by"] == "loss_spike"
    assert 8 < at == len(stopped.curve()) < 24
    [event] = stopped.health()
    assert stopped.metrics["warnings"] == 1
    assert (event["step"], event["guard"], event["action"]) == (at, "loss_spike", "stop")
    assert event["value"] >= event["threshold"] == 1.001
    assert [note for note in stopped.notes if event["text"] in note and "stops" in note]
    # Nothing was validated: the weights before the refused update are handed on.
    before = small.rl("before", BRIEF.model_copy(update={"steps": at - 1}))
    assert stopped.metrics["kept_step"] == at - 1
    assert stopped.weights() == before.weights()
    # A stopped run that was killed before its artifact was stored is still stopped.
    again = small.rl("stopped", stopping())
    assert again.metrics == stopped.metrics
    assert again.weights() == stopped.weights()


def test_a_stopped_run_hands_on_its_best_weights(small: SmallRun) -> None:
    stopped = small.rl("stopped-best", stopping(validate_every=3))
    kept = stopped.metrics["kept_step"]
    assert kept % 3 == 0
    assert kept < stopped.metrics["stopped_at"]
    ended = small.rl("ended-best", BRIEF.model_copy(update={"steps": kept}))
    assert stopped.weights() == ended.weights()


def test_a_loss_that_is_no_number_never_reaches_the_weights(small: SmallRun) -> None:
    """An entropy bonus beyond the range of 32 bits makes every loss infinite."""
    sick = CURIOUS.model_copy(
        update={
            "steps": 20,
            "entropy": 1e308,
            "optimizer": OptimizerConfig(learning_rate=1e-3, weight_decay=0.1),
        }
    )
    ran = small.rl("sick", sick)
    assert ran.metrics["stopped_by"] == "non_finite"
    assert ran.metrics["stopped_at"] == ran.metrics["skipped_updates"] == 3
    assert [event["action"] for event in ran.health()] == ["warn", "stop"]
    assert ran.weights() == (small.inputs["sft"] / "model" / "model.safetensors").read_bytes()
    # The curve stays JSON that any reader takes.
    assert all("loss" not in row for row in ran.curve())
