"""The three ways in which an operation succeeds or fails, on answers made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.evaluation.study.diagnosis import diagnose
from pixel_core.records import Box, Cue, Rollout, Step, StopReason
from pixel_core.statistics.hits import Evidence

CUE = Box(x1=100, y1=100, x2=120, y2=120)
PLACES = {"q": Evidence(Cue(box=CUE), 1), "second": Evidence(Cue(box=CUE, picture=1), 2)}
ON, OFF = (90, 90, 130, 130), (0, 0, 50, 50)


def answer(
    *zooms: tuple[int, tuple[int, int, int, int]], right: bool, of: str = "q"
) -> Rollout:
    """``zooms``: the shown picture that each is from, and its box in the original."""
    steps = [
        Step(text="zoom", box=Box(x1=x1, y1=y1, x2=x2, y2=y2), picture=shown)
        for shown, (x1, y1, x2, y2) in zooms
    ]
    return Rollout(
        query_id=of,
        sample=0,
        steps=(*steps, Step(text="answer")),
        stop=StopReason.ANSWERED,
        answer="",
        correct=right,
        operations=len(steps),
        failed_operations=0,
        tokens=1,
    )


def test_hitting_reading_and_paying_are_apart() -> None:
    found = diagnose(
        [
            answer((0, ON), right=True),
            answer((0, ON), right=True),
            answer((0, ON), right=False),  # shown, and not read
            answer((0, OFF), right=False),
            answer(right=True),
            answer(right=False),
            answer(right=False),
            answer(right=True, of="no place"),
        ],
        PLACES,
    )
    assert (found.answers, found.used) == (7, 4)
    assert found.hits == 0.75
    assert found.read == pytest.approx(2 / 3)
    assert found.right_after_miss == 0.0
    assert (found.accuracy_with, found.accuracy_without) == (0.5, pytest.approx(1 / 3))
    assert found.pays == pytest.approx(1 / 6)


def test_the_last_zoom_is_what_an_answer_reads() -> None:
    assert diagnose([answer((0, OFF), (0, ON), right=True)], PLACES).hits == 1.0
    assert diagnose([answer((0, ON), (0, OFF), right=True)], PLACES).hits == 0.0


def test_a_crop_of_a_crop_is_of_the_first_ones_picture() -> None:
    """Shown: two pictures, then a crop of the second, then a crop of that crop."""
    through = answer((1, (50, 50, 200, 200)), (2, ON), right=True, of="second")
    assert diagnose([through], PLACES).hits == 1.0
    other = answer((0, (50, 50, 200, 200)), (2, ON), right=True, of="second")
    assert diagnose([other], PLACES).hits == 0.0


@given(st.integers(0, 40))
def test_nine_tenths_of_the_evidence_are_a_hit(cut: int) -> None:
    box = (80 + cut, 80, 140, 140)
    hits = diagnose([answer((0, box), right=True)], PLACES).hits
    inside = min(20, max(0, 120 - box[0])) / 20
    assert hits == float(inside >= 0.9)


def test_shares_of_nothing_are_none() -> None:
    found = diagnose([answer(right=True)], PLACES)
    assert (found.hits, found.read, found.accuracy_with, found.pays) == (None,) * 4
    nothing = diagnose([], PLACES)
    assert (nothing.answers, nothing.accuracy_without) == (0, None)
