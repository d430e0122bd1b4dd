"""What operations do in a step, on rollouts made by hand, and as the loop averages it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.evaluation.study.diagnosis import diagnose
from pixel_core.records import (
    Annotation,
    Box,
    Cue,
    FrameCue,
    Picture,
    Provenance,
    Query,
    Seed,
    Split,
    Step,
    StopReason,
)
from pixel_core.rollout.episode import Episode
from pixel_core.statistics.hits import Evidence, hit
from pixel_core.training.loop import Row, _averages
from pixel_core.training.operation_use import known_places, pays, use_counts

PICTURE = Picture(member="p.png", width=400, height=400, sha256="0" * 64)
ON, OFF = Box(x1=90, y1=90, x2=130, y2=130), Box(x1=0, y1=0, x2=50, y2=50)
PLACES = {"q": Evidence(Cue(box=Box(x1=100, y1=100, x2=120, y2=120)), 1)}

#: (zooms, right answer, question)
Made = tuple[list[Box], bool, str]


def rollout(made: Made) -> Episode:
    boxes, right, name = made
    query = Query(id=name, question="?", pictures=(PICTURE,), answers=("1",))
    steps = [Step(text="zoom", box=box, picture=0) for box in boxes]
    answer = "1" if right else "2"
    return Episode(
        query,
        0,
        transcript=None,  # type: ignore[arg-type]
        shown=[],
        op_cache=None,  # type: ignore[arg-type]
        steps=[*steps, Step(text=f"\\boxed{{{answer}}}")],
        stop=StopReason.ANSWERED,
        answer=answer,
        attempts=len(boxes),
    )


def averages(*parts: list[Made]) -> Row:
    """The loop's means over shards, each part one shard's rollouts."""
    sums: Row = {}
    for part in parts:
        counts = use_counts([rollout(made) for made in part], PLACES)
        sums = {key: sums.get(key, 0.0) + value for key, value in counts.items()}
    row = _averages(sums, 1.0)
    return row | pays(row)


def test_hits_reading_and_paying() -> None:
    found = averages(
        [([ON], True, "q"), ([OFF, ON], True, "q"), ([ON], False, "q"), ([], True, "other")],
        [([ON, OFF], False, "q"), ([], True, "q"), ([], False, "q"), ([ON], True, "other")],
    )
    assert found == {
        "cue_rapr": pytest.approx(4 / 6),
        "operation_hits": 0.75,
        "crop_read": pytest.approx(2 / 3),
        "cue_accuracy_with_operation": 0.5,
        "cue_accuracy_without_operation": 0.5,
        "operation_pays": 0.0,
    }


def test_means_over_nothing_are_left_out() -> None:
    assert averages([]) == averages([([ON], True, "other")]) == {}
    alone = averages([([], True, "q")])
    assert alone == {"cue_rapr": 0.0, "cue_accuracy_without_operation": 1.0}
    # No cue is known at all: every shard has the same columns all the same.
    assert use_counts([], {}).keys() == use_counts([rollout(([ON], True, "q"))], {}).keys()


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from([ON, OFF]), max_size=2),
            st.booleans(),
            st.sampled_from(["q", "other"]),
        ),
        max_size=12,
    )
)
def test_the_curve_and_the_studys_table_count_alike(made: list[Made]) -> None:
    row = averages(made)
    found = diagnose((rollout(one).record() for one in made), PLACES)
    assert row.get("operation_hits") == found.hits
    assert row.get("crop_read") == found.read
    assert row.get("cue_accuracy_with_operation") == found.accuracy_with
    assert row.get("cue_accuracy_without_operation") == found.accuracy_without
    assert row.get("operation_pays") == found.pays


def test_places_are_boxes_in_pictures_as_they_were_annotated() -> None:
    def annotation(name: str, cue: Cue | FrameCue | None) -> Annotation:
        seed = Seed(
            id=name,
            split=Split.TRAIN,
            question="?",
            answers=("1",),
            pictures=(PICTURE, PICTURE),
            is_video=isinstance(cue, FrameCue),
            provenance=Provenance(source="drawn"),
        )
        return Annotation(seed=seed, cue=cue, author="openai:model")

    box = Cue(box=ON, picture=1)
    found = known_places(
        [annotation("a", box), annotation("b", None), annotation("c", FrameCue(frames=(0,)))]
    )
    assert found == {"a": Evidence(box, 2)}
    # A call that was refused has no box, and shows nothing.
    assert hit([Step(text="call", error="outside"), Step(text="done")], found["a"]) is None
