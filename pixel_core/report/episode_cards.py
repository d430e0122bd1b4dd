"""The same question answered by the three models, side by side."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pixel_core.records import Query
from pixel_core.report.episodes.episode_card import EpisodeCard, episode_card
from pixel_core.report.episodes.gallery import Gallery
from pixel_core.report.html.wording import plain
from pixel_core.report.material import Material
from pixel_core.workflow.table import MODELS

RULE = (
    "Not picked by hand: kind by kind in turn (kinds that need zooming first), the first "
    "questions of the benchmark's own order; then, for each kind shown, the first question "
    "that the policy's greedy answer gets wrong, if there is one."
)


@dataclass(frozen=True)
class Choice:
    """A question to show, and the reason."""

    query: Query
    reason: str


@dataclass(frozen=True)
class QuestionCard:
    kind: str
    question: str
    answer: str
    choices: tuple[str, ...]
    reason: str
    episodes: list[EpisodeCard]


def question_cards(material: Material, gallery: Gallery, examples: int) -> list[QuestionCard]:
    """Cards of the questions chosen by ``choose``."""
    policy = {
        name: group[0].correct for name, group in material.answers["policy"]["greedy"].items()
    }
    return [
        QuestionCard(
            kind=plain(choice.query.kind or "other"),
            question=choice.query.question,
            answer=" / ".join(choice.query.answers),
            choices=choice.query.choices,
            reason=choice.reason,
            episodes=[_episode(model, choice.query, material, gallery) for model in MODELS],
        )
        for choice in choose(material.queries, policy, examples, material.hidden_kinds())
    ]


def choose(
    queries: Sequence[Query],
    correct: Mapping[str, bool],
    examples: int,
    first: Collection[str] = (),
) -> list[Choice]:
    """The questions to show, by ``RULE``: ``examples`` of them, then wrongly answered ones.

    ``correct``: by question id, whether the policy's greedy answer is right; ``first``: the
    kinds to begin with. Choices of a kind stay together.
    """
    kinds: dict[str, list[Query]] = {}
    for query in queries:
        kinds.setdefault(query.kind or "other", []).append(query)
    kinds = {kind: kinds[kind] for kind in sorted(kinds, key=lambda k: (k not in first, k))}
    picked: dict[str, Choice] = {}
    longest = max(map(len, kinds.values()), default=0)
    for place in range(longest):
        for kind, group in kinds.items():
            if len(picked) < examples and place < len(group):
                reason = f"question {place + 1} of {len(group)} of kind “{plain(kind)}”"
                picked[group[place].id] = Choice(group[place], reason)
    shown = {choice.query.kind or "other" for choice in picked.values()}
    for kind in kinds:
        wrong = next((q for q in kinds[kind] if not correct[q.id]), None)
        if kind in shown and wrong is not None and wrong.id not in picked:
            reason = f"the first question of kind “{plain(kind)}” that the policy gets wrong"
            picked[wrong.id] = Choice(wrong, reason)
    order = list(kinds)
    return sorted(picked.values(), key=lambda c: order.index(c.query.kind or "other"))


def _episode(model: str, query: Query, material: Material, gallery: Gallery) -> EpisodeCard:
    """The model's greedy episode, with the results of its sampled answers."""
    rollout = material.answers[model]["greedy"][query.id][0]
    sampled = material.answers[model]["sampled"][query.id]
    right = sum(r.correct for r in sampled)
    return episode_card(
        query,
        rollout,
        gallery,
        model=model,
        name=material.name(model),
        correct=rollout.correct,
        notes=[f"sampled: {right} of {len(sampled)} right"],
    )
