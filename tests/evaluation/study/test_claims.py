"""Verdicts on constructed numbers: each rule, its opposite, and the values at the border."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.config.study import ClaimsConfig
from pixel_core.evaluation.study.claims import (
    ArmRapr,
    ClaimVerdict,
    Gain,
    in_use,
    judge,
    trapped,
    wins,
)
from pixel_core.statistics.intervals import Interval

CLAIMS = ClaimsConfig()
rapr = st.floats(0, 1)


def gain(
    difference: float = 0.16,
    *,
    without: float = 0.64,
    half_width: float = 0.02,
    low: float = 0.1,
    high: float = 0.2,
    by_base_model: Mapping[int, float] | None = None,
) -> Gain:
    with_curiosity = without + difference
    return Gain(
        questions=500,
        with_curiosity=with_curiosity,
        interval_with=Interval(with_curiosity - half_width, with_curiosity + half_width),
        without=without,
        interval_without=Interval(without - half_width, without + half_width),
        difference=Interval(low, high),
        smallest=low,
        p_questions=0.0005,
        p_runs=0.03,
        unit="pairs of runs",
        by_base_model=by_base_model or {0: difference},
    )


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        ([0.0, 0.01, 0.049], "shown"),
        ([0.0, 0.0, 0.05], "not shown"),  # below means below
        ([0.0, 0.9], "not shown"),  # one seed that escapes is enough
        ([0.31, 0.9], "contradicted"),
        ([0.3, 0.9], "not shown"),
        ([0.1, 0.2], "not shown"),
        ([], "not shown"),
    ],
)
def test_trapped_on_every_seed(ended: list[float], status: str) -> None:
    assert trapped(ended, CLAIMS) == status


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        ([0.301, 0.8], "shown"),
        ([0.3, 0.8], "not shown"),
        ([0.8, 0.0], "not shown"),
        ([0.04, 0.0], "contradicted"),
        ([0.05, 0.0], "not shown"),
        ([], "not shown"),
    ],
)
def test_in_use_on_every_seed(ended: list[float], status: str) -> None:
    assert in_use(ended, CLAIMS) == status


@given(st.lists(rapr, min_size=1, max_size=6))
def test_no_runs_are_both_trapped_and_in_use(ended: list[float]) -> None:
    statuses = trapped(ended, CLAIMS), in_use(ended, CLAIMS)
    assert statuses != ("shown", "shown")
    assert (statuses[0] == "shown") == (statuses[1] == "contradicted")


@given(st.lists(rapr, min_size=1, max_size=6), rapr)
def test_another_run_never_makes_a_claim_stronger(ended: list[float], more: float) -> None:
    for rule in (trapped, in_use):
        after = rule([*ended, more], CLAIMS)
        assert after in (rule(ended, CLAIMS), "not shown")


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (gain(0.16), "shown"),
        (gain(0.12), "shown"),  # at least
        (gain(0.1199), "not shown"),
        (gain(0.25, without=0.5, half_width=0.125), "not shown"),  # the intervals touch
        (gain(0.25, without=0.5, half_width=0.124), "shown"),
        (gain(0.05, low=0.01, high=0.09), "not shown"),  # better, but not by so much
        (gain(-0.05, low=-0.09, high=-0.01), "contradicted"),
        (gain(-0.05, low=-0.1, high=0.0), "not shown"),  # 0 is still possible
        (gain(0.16, by_base_model={0: 0.12, 3: 0.2}), "shown"),
        (gain(0.3, by_base_model={0: 0.119, 3: 0.5}), "not shown"),  # not on every base model
    ],
)
def test_points_won(found: Gain, status: str) -> None:
    assert wins(found, 0.12) == status


def ending(started: list[float], ended: list[float], **more: Any) -> ArmRapr:
    return ArmRapr(started, ended, more.pop("base_models", [0] * len(ended)), **more)


def verdicts(endings: dict[str, ArmRapr], *gains: Gain | None) -> dict[str, ClaimVerdict]:
    found = judge(endings, gains[0], gains[1], CLAIMS, 1.0)
    return {verdict.claim.split(".")[0]: verdict for verdict in found}


def test_the_trap_as_it_should_be() -> None:
    starts = [0.25, 0.25]
    found = verdicts(
        {
            "full": ending(starts, [0.79, 0.87]),
            "no_curiosity": ending(starts, [0.0, 0.002]),
            "penalty_only": ending(starts, [0.0, 0.0]),
            "no_warm_start": ending([0.0, 0.0], [0.0, 0.04]),
        },
        gain(0.16),
        gain(0.31, without=0.52, low=0.29, high=0.33),
    )
    assert list(found) == ["1a", "1b", "2a", "2b", "3a", "3b"]
    assert {verdict.verdict for verdict in found.values()} == {"shown"}
    assert "0.790, 0.870" in found["1b"].evidence
    assert "0.250" in found["1b"].evidence, "where the runs started is part of the evidence"
    assert "+31.0 points (+29.0 to +33.0)" in found["2b"].evidence
    assert "500 questions" in found["2a"].evidence


def test_a_start_that_never_zoomed_is_told() -> None:
    found = verdicts({"no_curiosity": ending([0.01, 0.04], [0.0, 0.0])}, None, None)
    assert "nothing to give up" in found["1a"].evidence
    started = verdicts({"no_curiosity": ending([0.01, 0.06], [0.0, 0.0])}, None, None)
    assert "nothing to give up" not in started["1a"].evidence


def test_cells_that_are_one_run_are_told() -> None:
    found = verdicts({"no_warm_start": ending([0.0] * 6, [0.0] * 6, distinct=3)}, None, None)
    assert "6 runs (3 of them distinct)" in found["3b"].evidence


def test_digits_have_a_threshold_of_their_own() -> None:
    found = verdicts({}, gain(0.2), gain(0.2))
    assert found["2a"].verdict == "shown"
    assert found["2b"].verdict == "not shown"


def test_an_arm_that_was_not_run_shows_nothing_and_is_named() -> None:
    found = verdicts({"full": ending([0.2], [0.8])}, None, None)
    assert found["1b"].verdict == "shown"
    for claim, arm in (("1a", "no_curiosity"), ("3a", "penalty_only"), ("3b", "no_warm_start")):
        assert found[claim].verdict == "not shown"
        assert f"{arm} was not run" in found[claim].evidence
    assert "not both run" in found["2a"].evidence


def test_on_how_many_base_models_a_claim_holds() -> None:
    starts, bases = [0.2] * 6, [0, 0, 4, 4, 9, 9]
    found = verdicts(
        {
            "full": ending(starts, [0.5, 0.6, 0.5, 0.1, 0.7, 0.8], base_models=bases, missed=2),
            "no_curiosity": ending(starts, [0.0] * 6, base_models=bases),
        },
        gain(0.2, by_base_model={0: 0.25, 4: 0.05, 9: 0.3}),
        None,
    )
    assert found["1a"].evidence.endswith("Holds on 3 of 3 base models.")
    assert found["1b"].verdict == "not shown"
    assert found["1b"].evidence.endswith(
        "2 began at a warm start that never met its rule. Holds on 2 of 3 base models."
    )
    assert found["2a"].verdict == "not shown"
    assert "By base model +25.0, +5.0, +30.0: reached on 2 of 3." in found["2a"].evidence
    one = verdicts({"full": ending([0.2], [0.8])}, gain(), None)
    assert "base models" not in one["1b"].evidence + one["2a"].evidence
