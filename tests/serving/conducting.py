"""Schedulers over real engines that know a few episodes by heart, some of them broken."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from memorised import memorised
from tiny_world import tiny

from pixel_core.config import DialogueConfig, SamplingConfig
from pixel_core.errors import PixelError
from pixel_core.models.engine import EmbeddedEngine, stream_seed
from pixel_core.rollout.episode import RenderedPrompt, run_episodes
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.transcript import Transcript
from pixel_core.serving.answer import Answer
from pixel_core.serving.question import GREEDY, Question
from pixel_core.serving.request_handle import RequestHandle
from pixel_core.serving.scheduler import Scheduler

WARM = SamplingConfig(temperature=1.0, top_p=0.95)


class WatchedEngine(EmbeddedEngine):
    """The real engine. It begins no turn while it is held, breaks down over a call with
    ``poison`` in it, and remembers the size of each call."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.go_on = threading.Event()
        self.go_on.set()
        self.calls: list[int] = []
        self.poison: set[str] = set()
        self.closed = False

    def generate(self, transcripts: Sequence[Transcript], *arguments: Any, **named: Any) -> Any:
        self.calls.append(len(transcripts))
        assert self.go_on.wait(60), "a test forgot to let the engine go on"
        texts = [self.vocabulary.decode(one.tokens) for one in transcripts]
        if any(word in text for word in self.poison for text in texts):
            raise RuntimeError("no such kernel")
        return super().generate(transcripts, *arguments, **named)

    def close(self) -> None:
        super().close()
        self.closed = True

    @property
    def cached(self) -> int:
        """Transcripts of which keys and values are held."""
        return len(self._kept)


@contextmanager
def conducting(**limits: int) -> Iterator[tuple[Scheduler, WatchedEngine]]:
    """Of the model that knows four episodes."""
    world = memorised().world
    engine = WatchedEngine(world.model, world.vocabulary)
    scheduler = Scheduler(engine, **limits)
    try:
        yield scheduler, engine
    finally:
        engine.go_on.set()
        scheduler.close()


def known(number: int, **how: Any) -> Question:
    """One of the four questions that the model knows."""
    return Question(memorised().openings[number], memorised().world.prompts.dialogue, **how)


def alone(
    opening: RenderedPrompt, dialogue: DialogueConfig, sampling: SamplingConfig, seed: int
) -> list[str]:
    """What the random model says to this question by itself, without a scheduler."""
    world = tiny()
    engine = EmbeddedEngine(world.model, world.vocabulary)
    prompts = Renderer(dialogue, world.vocabulary)
    if sampling == GREEDY:
        (episode,) = run_episodes(engine, prompts, [opening], 1, sampling)
        return [step.text for step in episode.steps]
    banned = {"banned": prompts.banned} if prompts.banned else {}
    transcript = prompts.open(opening.query, opening.visuals)
    (said,) = engine.generate(
        [transcript],
        sampling,
        dialogue.max_new_tokens,
        seeds=[stream_seed("ask", seed, 0)],
        **banned,
    )
    return [world.vocabulary.decode(said.tokens).removesuffix("<|im_end|>")]


def texts(answer: Answer) -> list[str]:
    return [step.text for step in answer.steps]


def ended(handle: RequestHandle) -> PixelError | Answer:
    """How it ended, whatever the way."""
    try:
        return handle.answer()
    except PixelError as error:
        return error
