"""Questions that one row of the scores wins against another, with both trajectories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixel_core.errors import DataError
from pixel_core.evaluation.page.headline import RowLook
from pixel_core.evaluation.results import BenchmarkResult
from pixel_core.records import Query, Rollout, read_jsonl
from pixel_core.report.episodes.episode_card import EpisodeCard, episode_card
from pixel_core.report.episodes.gallery import Gallery
from pixel_core.report.html.wording import plain
from pixel_core.rewards.graders.grader import ReadingRule
from pixel_core.rewards.graders.registry import GRADERS

#: A score counts as right from here on; matters only for ANLS.
_RIGHT = 0.5
#: Where an unmarked answer was found.
_READ_FROM = {
    ReadingRule.STATEMENT: "a statement",
    ReadingRule.TURN: "the whole turn",
    ReadingRule.LINE: "a line",
    ReadingRule.SENTENCE: "a sentence",
}


@dataclass(frozen=True)
class ExampleCard:
    """One question and the answers of two rows."""

    question: str
    kind: str
    answer: str
    choices: tuple[str, ...]
    episodes: list[EpisodeCard]


@dataclass(frozen=True)
class ExamplePair:
    """Questions that ``b`` won against ``a``, and lost: the totals, and the first few."""

    a: str
    b: str
    won: int
    lost: int
    won_cards: list[ExampleCard]
    lost_cards: list[ExampleCard]


def example_pairs(
    result: BenchmarkResult,
    answers: Mapping[str, Path],
    pairs: Sequence[tuple[str, str]],
    looks: Sequence[RowLook],
    gallery: Gallery,
    count: int,
) -> list[ExamplePair]:
    """``answers``: each row's folder of answers. ``count``: examples won and lost per pair.

    Not cherry-picked: the first in the benchmark's own order. ``DataError`` if a question of
    the result has no answer.
    """
    shown = {pair: _won_and_lost(result, *pair) for pair in pairs}
    wanted = {id for sides in shown.values() for ids in sides for id in ids[:count]}
    rows = {row for pair in pairs for row in pair}
    asked = _queries(next(iter(answers.values())), wanted) if wanted else {}
    told = {row: _rollouts(answers[row], wanted) for row in rows} if wanted else {}
    by_row = {look.row: look for look in looks}

    def card(id: str, pair: tuple[str, str]) -> ExampleCard:
        query = asked[id]
        return ExampleCard(
            question=query.question,
            kind=plain(query.kind or "other"),
            answer=" / ".join(query.answers),
            choices=query.choices,
            episodes=[_episode(result, by_row[r], query, told[r], gallery) for r in pair],
        )

    return [
        ExamplePair(
            by_row[pair[0]].name,
            by_row[pair[1]].name,
            len(won),
            len(lost),
            [card(id, pair) for id in won[:count]],
            [card(id, pair) for id in lost[:count]],
        )
        for pair, (won, lost) in shown.items()
    ]


def _won_and_lost(
    result: BenchmarkResult, a: str, b: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    for pair in result.pairs:
        if (pair.a, pair.b) == (a, b):
            return pair.won, pair.lost
        if (pair.a, pair.b) == (b, a):
            return pair.lost, pair.won
    raise DataError(
        f"the scores of {result.benchmark} compare no {a} with {b}; score again: pixel run "
        f"--from scores_{result.benchmark}"
    )


def _queries(folder: Path, wanted: set[str]) -> dict[str, Query]:
    found = {q.id: q for q in read_jsonl(folder / "queries.jsonl", Query) if q.id in wanted}
    if missing := wanted - found.keys():
        raise DataError(f"{folder}: no question {sorted(missing)[0]!r}; answer them again")
    return found


def _rollouts(folder: Path, wanted: set[str]) -> dict[str, list[Rollout]]:
    """The stored answers to the wanted questions, samples in order; holds nothing else."""
    found: dict[str, list[Rollout]] = {}
    for rollout in read_jsonl(folder / "answers.jsonl", Rollout):
        if rollout.query_id in wanted:
            found.setdefault(rollout.query_id, []).append(rollout)
    if missing := wanted - found.keys():
        raise DataError(f"{folder}: no answer to {sorted(missing)[0]!r}; answer it again")
    return {id: sorted(group, key=lambda r: r.sample) for id, group in found.items()}


def _episode(
    result: BenchmarkResult,
    look: RowLook,
    query: Query,
    told: Mapping[str, Sequence[Rollout]],
    gallery: Gallery,
) -> EpisodeCard:
    first, *others = told[query.id]
    score = GRADERS[result.grader](query, first)
    notes = [] if score in (0, 1) else [f"{result.metric} {score:.2f}"]
    if score.rule in _READ_FROM:
        notes.append(f"answer read from {_READ_FROM[score.rule]}")
    if others:
        notes.append(f"the first of {1 + len(others)} answers")
    return episode_card(
        query,
        first,
        gallery,
        model=look.style,
        name=look.name,
        correct=score >= _RIGHT,
        notes=notes,
    )
