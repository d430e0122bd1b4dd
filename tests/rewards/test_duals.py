"""The multipliers of the constraints: bounded, driven by violation, and the right price."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_groups import duals

from pixel_core.config import LagrangianConfig, RewardConfig
from pixel_core.rewards.duals import Duals

CONFIG = RewardConfig(preset="lagrangian")
LIMITS = CONFIG.lagrangian

shares = st.floats(0, 1)
excesses = st.floats(0, 10)
batches = st.lists(st.tuples(shares, excesses), max_size=30)


@st.composite
def configs(draw: st.DrawFn) -> RewardConfig:
    tops = draw(st.floats(0, 2)), draw(st.floats(0, 2))
    return RewardConfig(
        preset="lagrangian",
        rapr_target=draw(shares),
        lagrangian=LagrangianConfig(
            rapr_rate=draw(st.floats(0, 5)),
            rapr_max=tops[0],
            rapr_initial=draw(st.floats(0, tops[0])),
            operations_rate=draw(st.floats(0, 5)),
            operations_max=tops[1],
            operations_initial=draw(st.floats(0, tops[1])),
            operations_slack=draw(st.floats(0, 1)),
        ),
    )


def after(config: RewardConfig, run: list[tuple[float, float]]) -> Duals:
    prices = Duals.start(config.lagrangian)
    for share, beyond in run:
        prices = prices.updated(share, beyond, config)
    return prices


@given(configs(), batches)
def test_prices_stay_within_their_bounds(config, run) -> None:
    prices = after(config, run)
    assert 0 <= prices.rapr <= config.lagrangian.rapr_max
    assert 0 <= prices.operations <= config.lagrangian.operations_max


@given(duals(), configs(), shares, shares, excesses, excesses)
def test_a_worse_violation_never_lowers_a_price(prices, config, s1, s2, e1, e2) -> None:
    fewer, more = sorted((s1, s2))
    less, beyond = sorted((e1, e2))
    good, bad = prices.updated(more, less, config), prices.updated(fewer, beyond, config)
    assert bad.rapr >= good.rapr
    assert bad.operations >= good.operations


@given(duals(), shares, excesses)
def test_a_price_moves_towards_mending_its_own_constraint(prices, share, beyond) -> None:
    start = Duals(min(prices.rapr, LIMITS.rapr_max), LIMITS.operations_initial)
    moved = start.updated(share, beyond, CONFIG)
    if share < CONFIG.rapr_target:
        assert moved.rapr >= start.rapr
    else:
        assert moved.rapr <= start.rapr
    if beyond > LIMITS.operations_slack:
        assert moved.operations >= start.operations
    else:
        assert moved.operations <= start.operations


@given(batches, batches)
def test_a_run_resumed_from_its_json_goes_on_the_same(before, later) -> None:
    whole = after(CONFIG, before + later)
    resumed = Duals(**json.loads(json.dumps(asdict(after(CONFIG, before)))))
    for share, beyond in later:
        resumed = resumed.updated(share, beyond, CONFIG)
    assert resumed == whole


def test_a_policy_that_never_operates_is_offered_the_papers_bonus_in_five_updates() -> None:
    never = (0.0, 0.0)
    assert after(CONFIG, [never] * 5).rapr == pytest.approx(0.5 * 0.3)
    assert after(CONFIG, [never] * 16).rapr < LIMITS.rapr_max
    assert after(CONFIG, [never] * 17).rapr == LIMITS.rapr_max


def test_the_price_settles_where_the_constraints_just_hold() -> None:
    """Against a policy that answers a price at once: 0.24 buys RaPR 0.3, 0.1 stops excess."""
    prices = Duals.start(LIMITS)
    for _ in range(2000):
        share = min(1.25 * prices.rapr, 1.0)
        beyond = max(1.05 - 10 * prices.operations, 0.0)
        prices = prices.updated(share, beyond, CONFIG)
    assert prices.rapr == pytest.approx(0.24, abs=1e-6)
    assert prices.operations == pytest.approx(0.1, abs=1e-6)


def test_without_violation_the_prices_fall_to_nothing() -> None:
    assert after(CONFIG, [(1.0, 0.0)] * 100) == Duals(rapr=0.0, operations=0.0)


@pytest.mark.parametrize(
    ("share", "beyond", "words"),
    [
        (-0.1, 0.0, "share"),
        (3.0, 0.0, "share"),
        (float("nan"), 0.0, "share"),
        (0.5, -1.0, "excess"),
        (0.5, float("inf"), "excess"),
    ],
)
def test_impossible_batches_are_refused(share, beyond, words) -> None:
    with pytest.raises(ValueError, match=words):
        Duals.start(LIMITS).updated(share, beyond, CONFIG)
