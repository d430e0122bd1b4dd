"""The seeds to annotate, surveyed before anything is paid for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pixel_core.errors import DataError
from pixel_core.records import Annotation, Cue, FrameCue, Seed, Split, read_jsonl

# Annotations by the source's own cues.


AUTHOR = "source"


def annotation_by_source(seed: Seed) -> Annotation:
    """The seed's own cue. ``DataError`` for one outside the picture: a bug of the source."""
    cue = seed.cue
    if isinstance(cue, FrameCue) and cue.frames[-1] >= len(seed.pictures):
        raise DataError(
            f"seed {seed.id}: its cue has frame {cue.frames[-1]}, the video has "
            f"{len(seed.pictures)} (counted from 0); mend the source"
        )
    if isinstance(cue, Cue):
        if cue.picture >= len(seed.pictures):
            raise DataError(
                f"seed {seed.id}: its cue is in picture {cue.picture}, it has "
                f"{len(seed.pictures)} (counted from 0); mend the source"
            )
        picture = seed.pictures[cue.picture]
        if cue.box.x2 > picture.width or cue.box.y2 > picture.height:
            raise DataError(
                f"seed {seed.id}: its cue {cue.box.as_tuple()} reaches outside the picture "
                f"of {picture.width}x{picture.height} pixels; mend the source"
            )
    return Annotation(seed=seed, cue=cue, author=AUTHOR)


#: Seeds named in an error.
_NAMED = 5


@dataclass(frozen=True)
class SeedCounts:
    """How many seeds there are, and how many of them need a model."""

    seeds: int
    train: int


def survey(path: Path, *, by_model: bool) -> SeedCounts:
    """Count and check the seeds. ``DataError``, with every seed counted, for seeds without a
    question that no model will write: it does so for train seeds alone."""
    seeds = train = bare = 0
    named: list[str] = []
    for seed in read_jsonl(path, Seed):
        seeds += 1
        asked = seed.split is Split.TRAIN
        train += asked
        if not seed.asks and not (by_model and asked):
            bare += 1
            if len(named) < _NAMED:
                named.append(f"{seed.id} ({seed.split})")
    if bare:
        more = f" and {bare - len(named)} more" if bare > len(named) else ""
        remedy = (
            "held-out questions are never written by a model: give such seeds a question, "
            "or the split train"
            if by_model
            else "let a model write them with annotate.by=openai, or leave out sources without "
            "questions"
        )
        raise DataError(
            f"{bare} of {seeds} seeds have no question: {', '.join(named)}{more}; {remedy}"
        )
    return SeedCounts(seeds, train)


def numbered_train(path: Path) -> Iterator[tuple[int | None, Seed]]:
    """The seeds in order; train seeds with their index among the train seeds."""
    number = 0
    for seed in read_jsonl(path, Seed):
        if seed.split is Split.TRAIN:
            yield number, seed
            number += 1
        else:
            yield None, seed
