"""The viewer: the same question answered by the three models, side by side."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pixel_core.pages.wording import MODEL_NAMES, STOPS, clipped, plain
from pixel_core.pipeline import MODELS
from pixel_core.records import Query, Rollout
from pixel_core.reporting.gallery import Cutting, Gallery, Mark, Role, Shot, Strip, cutting
from pixel_core.reporting.material import Material

RULE = (
    "Not picked by hand: kind by kind in turn (kinds that need zooming first), the first "
    "questions of the benchmark's own order; then, for each kind shown, the first question "
    "that the policy's greedy answer gets wrong, if there is one."
)


@dataclass(frozen=True)
class Choice:
    """A question to show, and why."""

    query: Query
    reason: str


@dataclass(frozen=True)
class StepCard:
    text: str
    #: The number of the operation it carried out; 0 for none.
    number: int
    #: What the operation showed: a crop, or the frames selected.
    views: list[Cutting]
    error: str


@dataclass(frozen=True)
class EpisodeCard:
    """One model's greedy episode, and how its sampled answers to the question fared."""

    model: str
    correct: bool
    answer: str
    stop: str
    operations: int
    failed: int
    #: The question's pictures with the boxes looked at; for a video its frames instead.
    shots: list[Shot]
    strip: Strip | None
    steps: list[StepCard]
    sampled_right: int
    sampled: int


@dataclass(frozen=True)
class QuestionCard:
    kind: str
    question: str
    answer: str
    choices: tuple[str, ...]
    reason: str
    episodes: list[EpisodeCard]


def question_cards(material: Material, gallery: Gallery, examples: int) -> list[QuestionCard]:
    """Cards of the questions that ``choose`` picks."""
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
    """The questions to show, by ``RULE``: ``examples`` of them, then the wrong ones.

    ``correct`` says by question id whether the policy's greedy answer is right; ``first``
    names the kinds to begin with. Choices of a kind stand together.
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
    rollout = material.answers[model]["greedy"][query.id][0]
    sampled = material.answers[model]["sampled"][query.id]
    name = MODEL_NAMES[model]
    steps, marks, selected = _steps(rollout, query, gallery, name)
    shots, strip = list[Shot](), None
    if query.is_video:
        alt = f"{name}: the video, with the frames of {_count(len(selected), 'call')} marked"
        strip = gallery.strip(query.pictures, [(s, Role.LOOK) for s in selected], (), alt)
    else:
        alt = f"{name}: {_count(len(marks), 'box', 'boxes')} looked at"
        shots = [
            gallery.shot(picture, [mark for place, mark in marks if place == n], alt)
            for n, picture in enumerate(query.pictures)
        ]
    return EpisodeCard(
        model=model,
        correct=rollout.correct,
        answer=clipped(rollout.answer, 200),
        stop=STOPS[rollout.stop],
        operations=rollout.operations,
        failed=rollout.failed_operations,
        shots=shots,
        strip=strip,
        steps=steps,
        sampled_right=sum(r.correct for r in sampled),
        sampled=len(sampled),
    )


def _steps(
    rollout: Rollout, query: Query, gallery: Gallery, name: str
) -> tuple[list[StepCard], list[tuple[int, Mark]], list[tuple[int, ...]]]:
    """The steps, every executed box with the query picture it lies in, and every selection.

    A step's ``picture`` counts what was shown before it: the question's own pictures, crops
    and selected frames. A crop's boxes lie in the picture it was cut from.
    """
    origin = list(range(len(query.pictures)))
    marks: list[tuple[int, Mark]] = []
    selected: list[tuple[int, ...]] = []
    cards = []
    for step in rollout.steps:
        views, number = list[Cutting](), 0
        if step.box is not None:
            place = origin[step.picture or 0]
            origin.append(place)
            number = len(marks) + len(selected) + 1
            marks.append((place, Mark(step.box, str(number), Role.LOOK)))
            alt = f"{name}, what box {number} shows"
            views = [gallery.crop(query.pictures[place], step.box, alt)]
        elif step.frames:
            origin += step.frames
            selected.append(step.frames)
            number = len(marks) + len(selected)
            views = [
                cutting(gallery.load(query.pictures[at]), f"{name}, frame {at + 1}")
                for at in step.frames
            ]
        cards.append(StepCard(clipped(step.text), number, views, plain(step.error)))
    return cards, marks, selected


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"
