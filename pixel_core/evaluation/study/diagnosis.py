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

from pixel_core.records import Cue, Rollout, Seed, Split, read_jsonl
from pixel_core.statistics.hits import Evidence, hit


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


def evidence(ingest: Path) -> dict[str, Evidence]:
    """By id, of the test questions that have a place in a picture."""
    return {
        seed.id: Evidence(seed.cue, len(seed.pictures))
        for seed in read_jsonl(ingest / "seeds.jsonl", Seed)
        if seed.split is Split.TEST and isinstance(seed.cue, Cue)
    }


def diagnose(rollouts: Iterable[Rollout], places: Mapping[str, Evidence]) -> Diagnosis:
    """Of the answers to questions in ``places``; others are left out."""
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
