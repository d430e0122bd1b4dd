"""The presets against the sources' numbers, and what must hold for any group."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_groups import PRESETS, Group, configs, groups

from pixel_core.config import LagrangianConfig, RewardConfig
from pixel_core.rewards.duals import Duals
from pixel_core.rewards.shaping import excess, rapr, shape
from pixel_core.workflow.store.identity import canonical

PAPER = RewardConfig(alpha=0.5, beta=0.05, rapr_target=0.3, free_operations=1)
UPSTREAM = RewardConfig(preset="upstream_code")


def users(count: int, of: int = 8) -> np.ndarray:
    return np.arange(of) < count


@pytest.mark.parametrize(
    ("count", "paper", "image", "video"),
    [
        (0, 0.0, 0.0, 0.0),
        (1, 0.0875, 0.175, 0.7 / 3),
        (2, 0.025, 0.025, 0.1 / 3),
        (3, 0.0, 0.0, 0.0),
        (8, 0.0, 0.0, 0.0),
    ],
)
def test_curiosity_in_a_group_of_eight(count, paper, image, video) -> None:
    used = users(count)
    for config, is_video, bonus in (
        (PAPER, False, paper),
        (PAPER, True, paper),
        (UPSTREAM, False, image),
        (UPSTREAM, True, video),
    ):
        shaped = shape(
            np.zeros(8),
            used,
            used.astype(int),
            config,
            last_failed_g=[False] * 8,
            video=is_video,
        )
        assert shaped.rapr == count / 8
        np.testing.assert_allclose(shaped.curiosity, np.where(used, bonus, 0.0), atol=1e-12)
        np.testing.assert_array_equal(shaped.penalty, 0)


@pytest.mark.parametrize("config", [PAPER, UPSTREAM])
def test_every_attempt_beyond_the_free_one_costs(config) -> None:
    used = np.array([0, 1, 1, 1], bool)
    shaped = shape([1, 1, 0, 1], used, [0, 1, 2, 4], config, last_failed_g=[False] * 4)
    np.testing.assert_allclose(shaped.penalty, [0, 0, -0.05, -0.15])
    np.testing.assert_allclose(shaped.total, [1, 1, -0.05, 0.85])


def test_a_failed_call_is_not_free_and_earns_curiosity_only_in_the_released_code() -> None:
    rollouts = ([0, 0, 0, 0], [False] * 4, [3, 0, 0, 0])
    paper = shape(*rollouts, PAPER)
    assert paper.rapr == 0
    np.testing.assert_array_equal(paper.curiosity, 0)
    np.testing.assert_allclose(paper.penalty, [-0.1, 0, 0, 0])
    upstream = shape(*rollouts, UPSTREAM, last_failed_g=[True, False, False, False])
    assert upstream.rapr == 0, "the metric counts what was executed under any preset"
    np.testing.assert_allclose(upstream.curiosity, [0.025, 0, 0, 0])
    np.testing.assert_allclose(upstream.penalty, [-0.1, 0, 0, 0])


@given(groups())
def test_the_last_failed_call_takes_the_point_of_its_own_right_answer_alone(group) -> None:
    unflagged = Group(tuple((*r[:3], False) for r in group.rollouts), group.video)
    shaped, without = group.shaped(UPSTREAM), unflagged.shaped(UPSTREAM)
    lost = group.column(0).astype(bool) & group.column(3)
    np.testing.assert_array_equal(shaped.correct, group.column(0) & ~lost)
    np.testing.assert_array_equal(shaped.curiosity, without.curiosity)
    np.testing.assert_array_equal(shaped.penalty, without.penalty)
    for preset in set(PRESETS) - {"upstream_code"}:
        config = RewardConfig(preset=preset)
        np.testing.assert_array_equal(group.shaped(config).correct, group.column(0))


@given(groups(), configs("none"))
def test_none_is_correctness_whatever_the_operations(group, config) -> None:
    np.testing.assert_array_equal(group.shaped(config).total, group.column(0))


@given(groups(), configs("paper"))
def test_the_paper_is_the_lagrangian_at_prices_that_follow_the_query(group, config) -> None:
    bonus = config.alpha * max(config.rapr_target - rapr(group.column(1) > 0), 0.0)
    priced = Group(group.rollouts, group.video, Duals(rapr=bonus, operations=config.beta))
    lagrangian = config.model_copy(update={"preset": "lagrangian"})
    np.testing.assert_allclose(
        priced.shaped(lagrangian).total, group.shaped(config).total, atol=1e-12
    )


def test_the_lagrangian_pays_users_and_charges_what_is_beyond() -> None:
    config = RewardConfig(preset="lagrangian", free_operations=1)
    prices = Duals(rapr=0.2, operations=0.1)
    shaped = shape([1, 0, 1, 0], [False, True, True, False], [0, 1, 3, 2], config, duals=prices)
    np.testing.assert_allclose(shaped.total, [1.0, 0.2, 1.0, -0.1])
    np.testing.assert_array_equal(excess([0, 1, 3, 2], config), [0, 0, 2, 1])


@given(groups(), configs())
def test_parts_have_their_signs_and_add_up(group, config) -> None:
    shaped = group.shaped(config)
    np.testing.assert_array_equal(
        shaped.total, shaped.correct + shaped.curiosity + shaped.penalty
    )
    assert (shaped.curiosity >= 0).all()
    assert (shaped.penalty <= 0).all()
    paid = group.column(1) > 0 if config.preset != "upstream_code" else group.attempts > 0
    assert (shaped.curiosity[~paid] == 0).all()
    assert len({*shaped.curiosity[paid]}) <= 1, "one bonus for the whole group"
    assert (shaped.penalty[group.attempts == 0] == 0).all(), "no call, no price"


@given(groups(), configs("paper"))
def test_curiosity_ends_where_the_target_is_reached(group, config) -> None:
    shaped = group.shaped(config)
    if shaped.rapr >= config.rapr_target:
        assert not shaped.curiosity.any()


@given(groups(), configs(), st.randoms(use_true_random=False))
def test_the_order_of_rollouts_is_of_no_account(group, config, random) -> None:
    order = list(range(len(group)))
    random.shuffle(order)
    moved, still = group[order].shaped(config), group.shaped(config)
    np.testing.assert_array_equal(moved.total, still.total[order])
    assert moved.rapr == still.rapr


@given(groups(), configs(), configs())
def test_fields_outside_the_identity_shape_nothing(group, config, other) -> None:
    """Two settings with one identity must give one reward."""
    idle = config.idle_fields()
    mixed = config.model_copy(update={name: getattr(other, name) for name in idle})
    assert canonical(mixed, "reward") == canonical(config, "reward")
    np.testing.assert_array_equal(group.shaped(mixed).total, group.shaped(config).total)


@pytest.mark.parametrize(
    ("preset", "counting"),
    [
        ("paper", {"alpha", "beta", "rapr_target", "free_operations"}),
        ("upstream_code", set()),
        ("none", set()),
        ("lagrangian", {"rapr_target", "free_operations", "lagrangian"}),
    ],
)
def test_what_a_preset_reads_is_in_its_identity(preset, counting) -> None:
    key = json.loads(json.dumps(canonical(RewardConfig(preset=preset), "reward")))
    assert key.keys() == {"preset", *counting}


@pytest.mark.parametrize(
    ("arguments", "extra", "words"),
    [
        (([1, 0], [True], [1, 0]), {}, "length"),
        (([], [], []), {}, "RaPR"),
        (([1, 0], [True, False], [0, 0]), {}, "used without"),
        (([1, 0], [True, False], [1, 0]), {"last_failed_g": [True]}, "length"),
        (([1, 0], [True, False], [1, 0]), {"last_failed_g": [False, True]}, "failed without"),
    ],
)
def test_impossible_groups_are_refused(arguments, extra, words) -> None:
    with pytest.raises(ValueError, match=words):
        shape(*arguments, PAPER, **extra)


@pytest.mark.parametrize(
    ("preset", "words"), [("upstream_code", "last_failed_g"), ("lagrangian", "Duals.start")]
)
def test_what_a_preset_needs_must_be_given(preset, words) -> None:
    with pytest.raises(ValueError, match=words):
        shape([1, 0], [True, False], [1, 0], RewardConfig(preset=preset))


def test_rapr_is_the_share_of_users() -> None:
    assert rapr([True, False, False, True]) == 0.5


def test_prices_that_start_above_their_bound_are_refused() -> None:
    with pytest.raises(ValueError, match=r"rapr_initial 0.6 is above rapr_max 0.5"):
        LagrangianConfig(rapr_initial=0.6)
    with pytest.raises(ValueError, match="operations_initial"):
        LagrangianConfig(operations_max=0.01)
