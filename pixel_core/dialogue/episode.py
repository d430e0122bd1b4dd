"""THE episode loop: a model, a question, pictures, and what happens until it answers.

RL rollouts, evaluation and inference all run this; synthesis is replayed through the same
turns (``replay.py``). A call that is refused is returned to the model as a message and
counts as an attempt; nothing a model writes can crash the loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pixel_core.config import SamplingConfig
from pixel_core.dialogue.calls import CallError, ZoomCall, parse_turn
from pixel_core.dialogue.engine import Completion, Engine
from pixel_core.dialogue.prompts import Prompts
from pixel_core.dialogue.transcript import Transcript, Visual
from pixel_core.records import Query, Rollout, Step, StopReason
from pixel_core.rewards.grading import extract_boxed, grade
from pixel_core.vision.operations import ShownPicture, show, zoom


@dataclass
class Episode:
    """One rollout as it goes on. ``shown`` holds the query's pictures, then the crops."""

    query: Query
    sample: int
    transcript: Transcript
    shown: list[ShownPicture]
    steps: list[Step] = field(default_factory=list)
    stop: StopReason | None = None
    answer: str = ""
    #: Calls made, refused ones included, and how many of them were refused.
    attempts: int = 0
    failures: int = 0
    sampled: int = 0

    @property
    def correct(self) -> bool:
        return self.stop is StopReason.ANSWERED and grade(self.answer, self.query)

    @property
    def operations(self) -> int:
        """Operations that were executed."""
        return self.attempts - self.failures

    def record(self) -> Rollout:
        assert self.stop is not None
        return Rollout(
            query_id=self.query.id,
            sample=self.sample,
            steps=tuple(self.steps),
            stop=self.stop,
            answer=self.answer,
            correct=self.correct,
            operations=self.operations,
            failed_operations=self.failures,
            tokens=self.sampled,
        )


@dataclass(frozen=True)
class Opening:
    """A query with its pictures as shown; its visuals are shared by all its rollouts."""

    query: Query
    shown: tuple[ShownPicture, ...]
    visuals: tuple[Visual, ...]

    @classmethod
    def of(cls, query: Query, images: Sequence, prompts: Prompts) -> Opening:
        """``images``: the query's pictures, RGB, in order."""
        shown = tuple(
            show(image, index, prompts.dialogue.picture) for index, image in enumerate(images)
        )
        return cls(query, shown, tuple(Visual(picture) for picture in shown))


def run_episodes(
    engine: Engine,
    prompts: Prompts,
    openings: Sequence[Opening],
    samples: int,
    sampling: SamplingConfig,
) -> list[Episode]:
    """``samples`` rollouts of each query, in query order; all turns run as one batch."""
    episodes = []
    for opening in openings:
        prompt = prompts.open(opening.query, opening.visuals)
        episodes += [
            Episode(opening.query, sample, prompt.fork(), list(opening.shown))
            for sample in range(samples)
        ]
    engine.forget()
    active = [episode for episode in episodes if not _stop_when_full(episode, prompts)]
    while active:
        completions = engine.generate(
            [episode.transcript for episode in active],
            sampling,
            prompts.dialogue.max_new_tokens,
        )
        for episode, completion in zip(active, completions, strict=True):
            take_turn(episode, completion, prompts)
            if episode.stop is None:
                _stop_when_full(episode, prompts)
        active = [episode for episode in active if episode.stop is None]
    engine.forget()
    return episodes


def take_turn(episode: Episode, completion: Completion, prompts: Prompts) -> None:
    """Append what was sampled, carry out its call, append the return; or stop."""
    vocabulary, dialogue = prompts.vocabulary, prompts.dialogue
    # A turn cut by the limit is shown to no loss: it has no end to learn from.
    episode.transcript.append_sampled(
        completion.tokens, completion.logprobs, trained=completion.finished
    )
    episode.sampled += len(completion.tokens)
    text = vocabulary.decode(
        completion.tokens[:-1] if completion.finished else completion.tokens
    )
    if not completion.finished:
        _end(episode, text, StopReason.TRUNCATED)
        return
    try:
        call: ZoomCall | CallError | None = parse_turn(text, dialogue.zoom)
    except CallError as error:
        call = error
    if call is None:
        answer = extract_boxed(text)
        episode.answer = answer or ""
        _end(episode, text, StopReason.NO_ANSWER if answer is None else StopReason.ANSWERED)
        return
    episode.attempts += 1
    if episode.attempts > dialogue.max_operations:
        episode.failures += 1
        _end(episode, text, StopReason.TOO_MANY_OPERATIONS)
        return
    if len(episode.shown) >= dialogue.max_pictures:
        episode.failures += 1
        _end(episode, text, StopReason.CONTEXT_FULL)
        return
    try:
        if isinstance(call, CallError):
            raise call
        crop = zoom(call, episode.shown, dialogue)
    except CallError as error:
        episode.failures += 1
        episode.steps.append(Step(text=text, error=error.kind))
        prompts.error(episode.transcript, error.message)
        return
    episode.shown.append(crop)
    episode.steps.append(Step(text=text, box=crop.region, picture=call.target - 1))
    prompts.crop(episode.transcript, Visual(crop), len(episode.shown))


def _end(episode: Episode, text: str, reason: StopReason) -> None:
    episode.steps.append(Step(text=text))
    episode.stop = reason


def _stop_when_full(episode: Episode, prompts: Prompts) -> bool:
    """Whether another turn fits; if not, the episode ends here."""
    dialogue = prompts.dialogue
    full = (
        len(episode.transcript) + dialogue.max_new_tokens > dialogue.max_tokens
        or len(episode.shown) > dialogue.max_pictures
    )
    if full:
        episode.stop = StopReason.CONTEXT_FULL
    return full
