"""Batches questions of many askers on one engine."""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pixel_core.config import DialogueConfig, SamplingConfig
from pixel_core.errors import Busy, DataError, EngineFailed
from pixel_core.models.engine import stream_seed
from pixel_core.models.engines import AnsweringEngine
from pixel_core.rollout.engine import Completion
from pixel_core.rollout.episode import Episode, advance, begin
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.turns import TurnReader
from pixel_core.serving.answer import AnswerStep, answer_of
from pixel_core.serving.failures import EngineHealth, failure
from pixel_core.serving.question import Question
from pixel_core.serving.request_handle import RequestHandle, cancelled

# A question whose episode is under way.


@dataclass(eq=False)
class Running:
    """An episode under way."""

    handle: RequestHandle
    question: Question
    episode: Episode
    prompts: Renderer
    steps: list[AnswerStep] = field(default_factory=list)

    @property
    def batch(self) -> tuple[SamplingConfig, int, tuple[int, ...]]:
        """Equal for episodes that can be generated together."""
        dialogue = self.question.dialogue
        return self.question.sampling, dialogue.max_new_tokens, self.prompts.banned

    @property
    def draw(self) -> int:
        """The next turn's sampling seed; depends on this question alone."""
        return stream_seed("ask", self.question.seed, len(self.steps))


@dataclass(frozen=True)
class Counts:
    """The scheduler's current load, and its totals since it began."""

    active: int = 0
    waiting: int = 0
    answered: int = 0
    cancelled: int = 0
    timed_out: int = 0
    #: Questions that ended with an error, other than the two above.
    failed: int = 0
    #: Questions refused because too many waited.
    refused: int = 0
    turns: int = 0
    tokens: int = 0
    operations: int = 0
    failed_operations: int = 0
    rounds: int = 0
    #: Inside the engine, and in whole rounds, including admission.
    engine_seconds: float = 0.0
    round_seconds: float = 0.0


# Many askers, one engine: the episodes that are under way are generated as one batch.
#
# Clients (threads, or tasks of an event loop) submit questions and get request handles. One
# thread owns the engine and all tokenising. Each round it admits new requests, lets every
# episode write one turn, and notifies the clients. Sharing a round does not change what an
# episode says: each draws from its own seed.


#: How many dialogues (with or without operations, number of operations) keep their renderer.
_DIALOGUES = 64


class Scheduler:
    """Runs questions on ``engine``, which it owns: ``close`` closes it.

    ``at_once``: episodes under way together. ``waiting``: questions queued beyond these.
    """

    def __init__(
        self, engine: AnsweringEngine, *, at_once: int = 64, waiting: int = 256
    ) -> None:
        self._engine = engine
        self._at_once, self._most_waiting = at_once, waiting
        self._changed = threading.Condition()
        self._waiting: deque[tuple[RequestHandle, Question]] = deque()
        #: Removed from the queue and not yet under way.
        self._entering = 0
        self._running: list[Running] = []
        self._prompts: dict[DialogueConfig, Renderer] = {}
        self._thread: threading.Thread | None = None
        self._closing = False
        #: Why no questions are accepted any more; "" while the engine lives.
        self._dead = ""
        self._health = EngineHealth(engine)
        self._counts: dict[str, Any] = {}

    def submit(self, question: Question) -> RequestHandle:
        """Queue a question. Raises ``Busy`` when too many wait, and ``EngineFailed`` when the
        engine is unusable or was closed."""
        handle = RequestHandle(question.seconds, self._leave)
        with self._changed:
            if self._dead:
                raise EngineFailed(self._dead)
            inside = len(self._waiting) + self._entering + len(self._running)
            if inside >= self._at_once + self._most_waiting:
                self._count(refused=1)
                raise Busy(
                    f"{inside - len(self._waiting)} questions are being answered and "
                    f"{len(self._waiting)} wait, no more are taken: ask again later"
                )
            self._waiting.append((handle, question))
            if self._thread is None:
                self._start()
            self._changed.notify_all()
        return handle

    @property
    def alive(self) -> bool:
        """Whether questions are accepted."""
        return not self._dead

    @property
    def why_dead(self) -> str:
        """ "" while questions are accepted."""
        return self._dead

    def counts(self) -> Counts:
        with self._changed:
            under_way = self._entering + len(self._running)
            now = {"active": under_way, "waiting": len(self._waiting)}
            return Counts(**self._counts, **now)

    def close(self, patience_s: float = 30.0) -> None:
        """Accept no more, wait up to ``patience_s`` for a turn under way, end all others with
        ``Cancelled``, and close the engine. Idempotent."""
        with self._changed:
            self._dead = self._dead or "the model was closed: load it again"
            self._closing = True
            self._changed.notify_all()
            thread, self._thread = self._thread, None
        atexit.unregister(self.close)
        if thread is None:
            self._end()
        else:
            thread.join(patience_s)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._thread.start()
        # A thread inside the engine during interpreter shutdown would crash it.
        atexit.register(self.close)

    def _run(self) -> None:
        try:
            while self._gather():
                self._round()
        finally:
            with self._changed:
                self._dead = self._dead or "the scheduler broke down: load the model again"
            self._end()

    def _end(self) -> None:
        """End all remaining questions and close the engine."""
        with self._changed:
            left = [handle for handle, _ in self._waiting]
            left += [one.handle for one in self._running]
            self._waiting.clear()
            self._running = []
        why = cancelled() if self._closing else EngineFailed(self._dead)
        for handle in left:
            handle.put(why)
        self._prompts.clear()
        self._engine.close()

    def _gather(self) -> bool:
        """Wait for work and admit it; False when the scheduler ends."""
        with self._changed:
            while not (self._waiting or self._running or self._closing or self._dead):
                self._changed.wait()
            if self._closing or self._dead:
                return False
            room = self._at_once - len(self._running)
            new = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
            self._entering = len(new)
        began = time.monotonic()
        for left, (handle, question) in zip(range(len(new) - 1, -1, -1), new, strict=True):
            if not self._gone(handle):
                self._protected(handle, partial(self._begin, handle, question))
            with self._changed:
                self._entering = left  # also if it ended before it began
        self._count(round_seconds=time.monotonic() - began)
        return True

    def _begin(self, handle: RequestHandle, question: Question) -> None:
        prompts = self._prompts_of(question.dialogue)
        (episode,) = begin(question.opening, 1, prompts)
        if episode.stop is not None:
            room = question.dialogue.max_tokens - question.dialogue.max_new_tokens
            raise DataError(
                f"the question with its pictures takes {len(episode.transcript):,} tokens and "
                f"{room:,} are allowed (dialogue.max_tokens less a turn): shorten it, or show "
                "fewer or smaller pictures"
            )
        with self._changed:
            self._running.append(Running(handle, question, episode, prompts))
            self._entering -= 1

    def _prompts_of(self, dialogue: DialogueConfig) -> Renderer:
        if dialogue not in self._prompts:
            if len(self._prompts) >= _DIALOGUES:
                self._prompts.clear()
            self._prompts[dialogue] = Renderer(dialogue, self._engine.vocabulary)
        return self._prompts[dialogue]

    def _round(self) -> None:
        """One turn of every episode under way."""
        began = time.monotonic()
        batches: dict[object, list[Running]] = {}
        for one in self._running:
            if not self._gone(one.handle):
                batches.setdefault(one.batch, []).append(one)
        # One batch's call must not evict another's cache, newcomers included.
        self._hold()
        for batch in batches.values():
            self._generate(batch)
        with self._changed:
            self._running = [one for one in self._running if not one.handle.over]
            self._count(rounds=1, round_seconds=time.monotonic() - began)
        # Evict the cache of ended episodes now: a server never pauses.
        self._hold()

    def _hold(self) -> None:
        self._engine.hold([one.episode.transcript for one in self._running])

    def _generate(self, batch: Sequence[Running]) -> None:
        sampling, limit, banned = batch[0].batch
        more: dict[str, Any] = {"banned": banned} if banned else {}
        if sampling.temperature > 0:
            more["seeds"] = [one.draw for one in batch]
        transcripts = [one.episode.transcript for one in batch]
        began = time.monotonic()
        try:
            completions = self._engine.generate(transcripts, sampling, limit, **more)
        except Exception as error:  # noqa: BLE001 - raised to the asker
            self._mend(batch, error)
            return
        self._health.went_well()
        self._count(engine_seconds=time.monotonic() - began, turns=len(batch))
        for one, completion in zip(batch, completions, strict=True):
            self._protected(one.handle, partial(self._advance, one, completion))

    def _mend(self, batch: Sequence[Running], error: Exception) -> None:
        """The engine broke down. One episode's fault must not end the others, so each is tried
        alone; one that breaks the engine alone has failed."""
        self._engine.forget()
        if len(batch) > 1:
            for one in batch:
                if not self._dead:
                    self._generate([one])
            return
        self._fail(batch[0].handle, failure(error))
        if why := self._health.fatal(error, batch[0].prompts):
            self._dead = why

    def _advance(self, one: Running, completion: Completion) -> None:
        episode = one.episode
        shown = len(episode.shown)
        advance(episode, completion, one.prompts, TurnReader(one.prompts))
        step = AnswerStep(
            number=len(one.steps) + 1,
            record=episode.steps[-1],
            shown=tuple(episode.shown[shown:]),
            tokens=len(completion.tokens),
        )
        one.steps.append(step)
        self._count(tokens=step.tokens)
        one.handle.put(step)
        if episode.stop is not None:
            seconds = time.monotonic() - one.handle.began
            self._count(
                answered=1,
                operations=episode.operations,
                failed_operations=episode.failures,
            )
            one.handle.put(answer_of(episode, tuple(one.steps), seconds))

    def _protected(self, handle: RequestHandle, work: Callable[[], None]) -> None:
        """Do work for one question alone; an error ends only that question."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised to the asker
            self._fail(handle, error)

    def _fail(self, handle: RequestHandle, error: Exception) -> None:
        self._count(failed=1)
        handle.put(error)

    def _gone(self, handle: RequestHandle) -> bool:
        """Whether its asker is gone or it expired; if so, end it."""
        if handle.over:
            return True
        if handle.expired:
            self._count(timed_out=1)
            handle.put(handle.timed_out())
        elif handle.cancelled:
            self._count(cancelled=1)
            handle.put(cancelled())
        return handle.over

    def _leave(self, handle: RequestHandle) -> None:
        """A request handle was cancelled: free its place in the queue at once."""
        with self._changed:
            here = [entry for entry in self._waiting if entry[0] is handle]
            for entry in here:
                self._waiting.remove(entry)
        if here:
            self._gone(handle)

    def _count(self, **more: float) -> None:
        with self._changed:
            for name, by in more.items():
                self._counts[name] = self._counts.get(name, 0) + by
