"""THE episode loop: a model, a question, pictures, and what happens until it answers.

RL rollouts, evaluation and inference all run this; synthesis is replayed through the same
turns (``replay.py``). A call that is refused is returned to the model as a message and
counts as an attempt; nothing a model writes can crash the loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pixel_core.config import SamplingConfig
from pixel_core.records import Query, Rollout, Step, StopReason
from pixel_core.rewards.answer_marks import answer_in
from pixel_core.rewards.grading import grade, grade_turn
from pixel_core.rollout.engine import Completion, Engine
from pixel_core.rollout.operations import ShownPicture, show
from pixel_core.rollout.operations_cache import OperationsCache, Shot
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.tool_calls import Call, CallError, SelectCall
from pixel_core.rollout.transcript import Transcript, Visual
from pixel_core.rollout.turns import TurnReader


@dataclass
class Episode:
    """One rollout as it goes on. ``shown``: the query's pictures, then what calls returned.

    ``operations cache`` is shared by the query's rollouts.
    """

    query: Query
    sample: int
    transcript: Transcript
    shown: list[ShownPicture]
    op_cache: OperationsCache
    steps: list[Step] = field(default_factory=list)
    stop: StopReason | None = None
    answer: str = ""
    #: Calls made, refused ones included, and how many of them were refused.
    attempts: int = 0
    failures: int = 0
    #: Whether the last call made was refused; False when none was made.
    last_failed: bool = False
    #: Executed calls that selected frames.
    selections: int = 0
    sampled: int = 0

    @property
    def correct(self) -> bool:
        """Whether it ended with a right answer; where its last turn also has tags, by all of
        its marks."""
        if self.stop is not StopReason.ANSWERED or not grade(self.answer, self.query):
            return False
        last = self.steps[-1].text
        return "<" not in last or grade_turn(last, self.query)

    @property
    def operations(self) -> int:
        """Operations that were executed, of either kind."""
        return self.attempts - self.failures

    @property
    def zooms(self) -> int:
        return self.operations - self.selections

    @property
    def video(self) -> bool:
        return self.query.is_video

    @property
    def pictures(self) -> int:
        """Pictures shown so far; a video's frames count as one."""
        own = len(self.query.pictures)
        return len(self.shown) - (own - 1 if self.video else 0)

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
            selections=self.selections,
            failed_operations=self.failures,
            tokens=self.sampled,
        )


@dataclass(frozen=True)
class RenderedPrompt:
    """A query with its pictures as shown; its visuals are shared by all its rollouts."""

    query: Query
    shown: tuple[ShownPicture, ...]
    visuals: tuple[Visual, ...]

    @classmethod
    def of(cls, query: Query, images: Sequence, prompts: Renderer) -> RenderedPrompt:
        """``images``: the query's pictures or the frames of its video, RGB, in order."""
        dialogue = prompts.dialogue
        budget = dialogue.frames.frame if query.is_video else dialogue.picture
        shown = tuple(show(image, index, budget) for index, image in enumerate(images))
        return cls(query, shown, tuple(Visual(picture) for picture in shown))


def run_episodes(
    engine: Engine,
    prompts: Renderer,
    openings: Sequence[RenderedPrompt],
    samples: int,
    sampling: SamplingConfig,
) -> list[Episode]:
    """``samples`` rollouts of each query, in query order; all turns run as one batch.

    Questions on pictures and on videos may be mixed.
    """
    episodes = [e for opening in openings for e in begin(opening, samples, prompts)]
    reader = TurnReader(prompts)
    engine.forget()
    limits = {"banned": prompts.banned} if prompts.banned else {}
    active = [episode for episode in episodes if episode.stop is None]
    while active:
        completions = engine.generate(
            [episode.transcript for episode in active],
            sampling,
            prompts.dialogue.max_new_tokens,
            **limits,
        )
        for episode, completion in zip(active, completions, strict=True):
            advance(episode, completion, prompts, reader)
        active = [episode for episode in active if episode.stop is None]
    engine.forget()
    return episodes


def begin(opening: RenderedPrompt, samples: int, prompts: Renderer) -> list[Episode]:
    """Rollouts of one query before their first turn. They share what is shown to them; one
    whose prompt leaves no room for a turn has ended already.

    An engine that answers each rollout for itself drives them with ``advance``, and bans
    ``prompts.banned`` in each turn.
    """
    prompt = prompts.open(opening.query, opening.visuals)
    op_cache = OperationsCache(opening.shown, prompts.dialogue)
    episodes = [
        Episode(opening.query, sample, prompt.fork(), list(opening.shown), op_cache)
        for sample in range(samples)
    ]
    for episode in episodes:
        _stop_when_full(episode, prompts)
    return episodes


def advance(
    episode: Episode, completion: Completion, prompts: Renderer, reader: TurnReader
) -> None:
    """Take one turn; afterwards the episode has ended or has room for another."""
    take_turn(episode, completion, prompts, reader)
    if episode.stop is None:
        _stop_when_full(episode, prompts)


def take_turn(
    episode: Episode, completion: Completion, prompts: Renderer, reader: TurnReader
) -> None:
    """Append what was sampled, carry out its call, append the return; or stop."""
    # A turn cut by the limit is shown to no loss: it has no end to learn from.
    episode.transcript.append_sampled(
        completion.tokens, completion.logprobs, trained=completion.finished
    )
    episode.sampled += len(completion.tokens)
    said = reader.read(completion, episode.query)
    if not completion.finished:
        _end(episode, said.text, StopReason.TRUNCATED)
    elif said.call is None:
        answer = answer_in(said.text)
        episode.answer = answer or ""
        reason = StopReason.NO_ANSWER if answer is None else StopReason.ANSWERED
        _end(episode, said.text, reason)
    else:
        _operate(episode, said.text, said.call, prompts)


def _operate(episode: Episode, text: str, call: Call | CallError, prompts: Renderer) -> None:
    """Carry out a call and show what it returns, or say why it is refused; or stop."""
    dialogue, transcript = prompts.dialogue, episode.transcript
    episode.attempts += 1
    if episode.attempts > dialogue.max_operations:
        _fail(episode, text, StopReason.TOO_MANY_OPERATIONS)
        return
    if episode.pictures >= dialogue.max_pictures:
        _fail(episode, text, StopReason.CONTEXT_FULL)
        return
    try:
        if isinstance(call, CallError):
            # A new one: the reader hands the same to all who said the same.
            raise CallError(call.kind, call.message)
        shots = episode.op_cache.carry_out(call, episode.shown)
    except CallError as error:
        _fail(episode)
        episode.steps.append(Step(text=text, error=error.kind))
        prompts.error(transcript, error.message)
        return
    tokens = sum(visual.tokens for _, visual in shots)
    if (
        episode.pictures + len(shots) > dialogue.max_pictures
        or len(transcript) + tokens > dialogue.max_tokens
    ):
        _fail(episode, text, StopReason.CONTEXT_FULL)
        return
    episode.last_failed = False
    _show(episode, text, call, shots, prompts)


def _show(
    episode: Episode, text: str, call: Call, shots: list[Shot], prompts: Renderer
) -> None:
    """Record an executed call and append what it returned."""
    first = len(episode.shown) + 1
    episode.shown += [picture for picture, _ in shots]
    visuals = [visual for _, visual in shots]
    if isinstance(call, SelectCall):
        episode.selections += 1
        frames = tuple(number - 1 for number in call.frames)
        episode.steps.append(Step(text=text, frames=frames))
        prompts.selected(episode.transcript, call, visuals, first)
        return
    ((crop, visual),) = shots
    episode.steps.append(Step(text=text, box=crop.region, picture=call.target - 1))
    prompts.crop(episode.transcript, visual, first)


def _fail(episode: Episode, text: str = "", reason: StopReason | None = None) -> None:
    """Count a call that was not executed; with a reason the episode ends with it."""
    episode.failures += 1
    episode.last_failed = True
    if reason is not None:
        _end(episode, text, reason)


def _end(episode: Episode, text: str, reason: StopReason) -> None:
    episode.steps.append(Step(text=text))
    episode.stop = reason


def _stop_when_full(episode: Episode, prompts: Renderer) -> None:
    """End the episode if no other turn fits."""
    dialogue = prompts.dialogue
    full = (
        len(episode.transcript) + dialogue.max_new_tokens > dialogue.max_tokens
        or episode.pictures > dialogue.max_pictures
    )
    if full:
        episode.stop = StopReason.CONTEXT_FULL
