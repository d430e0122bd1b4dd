"""Why an operation pays or doesn't: whether it hits, whether its crop is read, what it gains.

Covers the sampled answers to questions whose evidence has a known place (a box in a picture).
An answer after a crop is right if two things hold: the zoom shows the evidence, and the model
reads it from the crop. Either can fail alone, and the remedies differ: a model that misses
needs grounding; one that hits but can't read needs SFT examples that answer from crops.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pixel_core.records import Cue, Rollout, Seed, Split, read_jsonl
from pixel_core.statistics.hits import Evidence, hit


@dataclass(frozen=True)
class Diagnosis:
    """Shares in [0, 1]; None if there is nothing to count."""

    #: Answers to questions with a known place, and how many of them used an operation.
    answers: int
    used: int
    #: Hit: among answers that used an operation, the share whose last zoom shows the
    #: evidence.
    hits: float | None
    #: Reading: right answers among hits, and among misses.
    read: float | None
    right_after_miss: float | None
    #: Payoff: right answers with an operation, and without.
    accuracy_with: float | None
    accuracy_without: float | None

    @property
    def pays(self) -> float | None:
        """The gain of an operation over answering at once, in [-1, 1]."""
        if self.accuracy_with is None or self.accuracy_without is None:
            return None
        return self.accuracy_with - self.accuracy_without


def evidence(ingest: Path) -> dict[str, Evidence]:
    """By id, for the test questions with a place in a picture."""
    return {
        seed.id: Evidence(seed.cue, len(seed.pictures))
        for seed in read_jsonl(ingest / "seeds.jsonl", Seed)
        if seed.split is Split.TEST and isinstance(seed.cue, Cue)
    }


def diagnose(rollouts: Iterable[Rollout], places: Mapping[str, Evidence]) -> Diagnosis:
    """Over the answers to questions in ``places``; ignores others."""
    read: list[bool] = []
    missed: list[bool] = []
    without: list[bool] = []
    for rollout in rollouts:
        place = places.get(rollout.query_id)
        if place is None:
            continue
        found = hit(rollout.steps, place)
        kind = without if found is None else read if found else missed
        kind.append(rollout.correct)
    used = read + missed
    return Diagnosis(
        answers=len(used) + len(without),
        used=len(used),
        hits=len(read) / len(used) if used else None,
        read=_mean(read),
        right_after_miss=_mean(missed),
        accuracy_with=_mean(used),
        accuracy_without=_mean(without),
    )


def _mean(values: list[bool]) -> float | None:
    return sum(values) / len(values) if values else None
