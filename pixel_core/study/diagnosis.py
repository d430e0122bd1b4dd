"""Why an operation pays or doesn't: whether it hits, whether its crop is read, what it wins.

Of the sampled answers to questions whose evidence is at a known place (a box in a picture).
An answer after a crop is right when two things come together: the zoom shows the evidence, and
what is in the crop is read. Each can be missing alone, and the remedies differ: a model that
misses needs grounding, one that hits and does not read needs lessons that answer from crops.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pixel_core.records import Box, Cue, Rollout, Seed, Split, read_jsonl

#: A zoom hits when at least this share of the evidence's area is in its box.
HIT = 0.9


@dataclass(frozen=True)
class Diagnosis:
    """Shares in [0, 1]; None where they are of nothing."""

    #: Answers to questions with a known place, and how many of them used an operation.
    answers: int
    used: int
    #: The operation hits: of the answers that used one, those whose last zoom shows the
    #: evidence.
    hits: float | None
    #: The crop is read: right answers among those that hit; and among those that missed.
    read: float | None
    right_after_miss: float | None
    #: Using it pays: right answers with an operation, and without.
    accuracy_with: float | None
    accuracy_without: float | None

    @property
    def pays(self) -> float | None:
        """What an operation wins over answering at once, in [-1, 1]."""
        if self.accuracy_with is None or self.accuracy_without is None:
            return None
        return self.accuracy_with - self.accuracy_without


@dataclass(frozen=True)
class Evidence:
    """Where a question's answer is to be seen, and how many pictures it shows."""

    cue: Cue
    pictures: int


def evidence(ingest: Path) -> dict[str, Evidence]:
    """By id, of the test questions that have a place in a picture."""
    return {
        seed.id: Evidence(seed.cue, len(seed.pictures))
        for seed in read_jsonl(ingest / "seeds.jsonl", Seed)
        if seed.split is Split.TEST and isinstance(seed.cue, Cue)
    }


def diagnose(rollouts: Iterable[Rollout], places: Mapping[str, Evidence]) -> Diagnosis:
    """Of the answers to questions in ``places``; others are left out."""
    hit: list[bool] = []
    missed: list[bool] = []
    without: list[bool] = []
    for rollout in rollouts:
        place = places.get(rollout.query_id)
        if place is None:
            continue
        last = _last_zoom(rollout, place.pictures)
        if last is None:
            without.append(rollout.correct)
            continue
        picture, box = last
        shown = picture == place.cue.picture and _share(place.cue.box, box) >= HIT
        (hit if shown else missed).append(rollout.correct)
    used = hit + missed
    return Diagnosis(
        answers=len(used) + len(without),
        used=len(used),
        hits=len(hit) / len(used) if used else None,
        read=_mean(hit),
        right_after_miss=_mean(missed),
        accuracy_with=_mean(used),
        accuracy_without=_mean(without),
    )


def _last_zoom(rollout: Rollout, pictures: int) -> tuple[int, Box] | None:
    """The picture that the last zoom is from, by way of crops, and its box there."""
    source = list(range(pictures))
    last = None
    for step in rollout.steps:
        if step.box is not None and step.picture is not None:
            source.append(source[step.picture])
            last = source[-1], step.box
    return last


def _mean(values: list[bool]) -> float | None:
    return sum(values) / len(values) if values else None


def _share(cue: Box, box: Box) -> float:
    """The part of the cue's area that is in the box."""
    width = min(cue.x2, box.x2) - max(cue.x1, box.x1)
    height = min(cue.y2, box.y2) - max(cue.y1, box.y1)
    area = (cue.x2 - cue.x1) * (cue.y2 - cue.y1)
    return max(0, width) * max(0, height) / area
