"""A loaded model that answers questions about pictures and videos, as in evaluation."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Self, TypedDict, Unpack

from pixel_core.config import DialogueConfig, EngineConfig, PipelineConfig, SamplingConfig
from pixel_core.errors import ConfigError
from pixel_core.media.deadline import Deadline
from pixel_core.serving.answer import Answer, AnswerStep
from pixel_core.serving.media import Media, MediaLimits, Seen, read_media
from pixel_core.serving.model_folder import PAPER, ModelFolder, find_model, whole_model
from pixel_core.serving.question import Question, open_question
from pixel_core.serving.request_handle import RequestHandle
from pixel_core.serving.scheduler import Scheduler


class How(TypedDict, total=False):
    """The keyword arguments of ``Reasoner.submit``, with the same meaning and defaults."""

    choices: Sequence[str]
    operations: bool
    temperature: float
    top_p: float
    seed: int
    max_operations: int | None
    video: bool | None
    frames: int
    seconds: float | None


class Reasoner:
    """Questions to one model. Thread-safe; questions asked at the same time are answered as
    one batch.

        with Reasoner.load("runs/rl/...") as reasoner:
            answer = reasoner.ask("street.jpg", "what does the sign say?")
            print(answer.text, [step.box for step in answer.steps])

    ``dialogue``: prompt settings and allowed operations; ``name``: of the model.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        dialogue: DialogueConfig,
        *,
        name: str = "",
        limits: MediaLimits | None = None,
    ) -> None:
        self.scheduler = scheduler
        self.dialogue = dialogue
        self.name = name
        self.limits = limits or MediaLimits()

    @classmethod
    def load(
        cls,
        path_or_id: str | Path,
        *,
        revision: str = "",
        base: str = "",
        dialogue: DialogueConfig | None = None,
        profile: PipelineConfig | str | None = None,
        device: str = "cpu",
        engine: EngineConfig | None = None,
        limits: MediaLimits | None = None,
        at_once: int = 64,
        waiting: int = 256,
    ) -> Self:
        """A stage's artifact, a folder that transformers reads, or a hub id at a commit
        (``revision``; ``HF_ENDPOINT`` and ``HF_TOKEN`` count). A LoRA adapter is merged into
        the model it names, or into ``base`` (a folder, or NAME@COMMIT); the merged copy needs
        space in the temporary folder while it is loaded.

        The dialogue is the first available of: ``dialogue``; the one the model was trained
        with, under the evaluation settings of ``profile``; that profile's own; the paper's.
        ``device`` is the embedded engine's ("cpu", "cuda"); ``engine`` names another.
        ``at_once`` and ``waiting``: see ``Scheduler``. Raises ``DataError`` unless it is a
        whole Qwen2.5-VL, ``EndpointError`` where the hub or an endpoint fails, and
        ``ConfigError`` for settings that contradict each other.
        """
        from pixel_core.models.engines import open_engine

        found = find_model(path_or_id, revision, base)
        chosen = dialogue or _dialogue(found, profile)
        with whole_model(found) as whole:
            opened = open_engine(
                engine or EngineConfig(),
                whole.artifact,
                chosen,
                section="engine",
                device=device,
                folder_name=whole.folder,
            )
        scheduler = Scheduler(opened, at_once=at_once, waiting=waiting)
        return cls(scheduler, chosen, name=found.name, limits=limits)

    def ask(self, media: Media, question: str, **how: Unpack[How]) -> Answer:
        """The answer; arguments and errors are those of ``submit``."""
        return self.submit(media, question, **how).answer()

    def stream(
        self, media: Media, question: str, **how: Unpack[How]
    ) -> Iterator[AnswerStep | Answer]:
        """Yield each turn as it ends, then the answer. Closing the iterator cancels."""
        return self.submit(media, question, **how).events()

    def stream_async(
        self, media: Media, question: str, **how: Unpack[How]
    ) -> AsyncIterator[AnswerStep | Answer]:
        """``stream`` for an event loop. Pictures are read in that loop: for large ones pass the
        result of ``asyncio.to_thread(reasoner.read, ...)``."""
        return self.submit(media, question, **how).events_async()

    def submit(
        self,
        media: Media | Seen,
        question: str,
        *,
        choices: Sequence[str] = (),
        operations: bool = True,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        max_operations: int | None = None,
        video: bool | None = None,
        frames: int = 16,
        seconds: float | None = None,
    ) -> RequestHandle:
        """Submit a question; the request handle yields the steps as they come.

        ``media``: a picture, several, or a video; see ``read_media``. ``operations``: False
        asks the same model without any. ``temperature`` 0 is greedy; above it, the draws
        follow from ``seed`` alone. ``max_operations``: replaces the dialogue's; 0 is
        ``operations=False``. ``seconds``: the time limit, reading included.

        Raises ``MediaError`` for unusable pictures, ``DataError`` for an invalid question,
        ``ConfigError`` for a setting out of range, ``Busy`` when too many wait; later, from
        the request handle, ``DataError`` for a question that leaves no room to answer,
        ``TimedOut``, ``Cancelled`` and ``EngineFailed``.
        """
        sampling = _sampling(temperature, top_p)
        dialogue = self.dialogue_for(operations=operations, max_operations=max_operations)
        if seconds is not None and not seconds > 0:
            raise ConfigError(f"seconds {seconds} leaves no time to answer: allow some")
        if not isinstance(media, Seen):
            began = time.monotonic()
            media = self.read(media, video=video, frames=frames, seconds=seconds)
            seconds = None if seconds is None else seconds - (time.monotonic() - began)
        opening = open_question(
            media.images, question, dialogue, is_video=media.is_video, choices=choices
        )
        return self.scheduler.submit(Question(opening, dialogue, sampling, seed, seconds))

    def read(
        self,
        media: Media,
        *,
        video: bool | None = None,
        frames: int = 16,
        seconds: float | None = None,
    ) -> Seen:
        """Pictures or a video, read and checked under this reasoner's limits. ``TimedOut`` if a
        picture or a video packet would begin after ``seconds``."""
        return read_media(
            media,
            video=video,
            frames=frames,
            limits=self.limits,
            deadline=Deadline.within(seconds),
        )

    def dialogue_for(
        self, *, operations: bool = True, max_operations: int | None = None
    ) -> DialogueConfig:
        """The dialogue for this number of operations, or for none."""
        if max_operations is not None and not 0 <= max_operations <= 100:
            raise ConfigError(f"max_operations {max_operations} is not from 0 to 100")
        if not operations or max_operations == 0:
            return self.dialogue.model_copy(update={"operations": "none"})
        if max_operations is None:
            return self.dialogue
        return self.dialogue.model_copy(update={"max_operations": max_operations})

    def close(self) -> None:
        """Cancel what is under way and free the model."""
        self.scheduler.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _sampling(temperature: float, top_p: float) -> SamplingConfig:
    if not 0 <= temperature <= 10:
        raise ConfigError(f"temperature {temperature} is not from 0 to 10")
    if not 0 < top_p <= 1:
        raise ConfigError(f"top_p {top_p} is not above 0 and at most 1")
    return SamplingConfig(temperature=temperature, top_p=top_p)


def _dialogue(found: ModelFolder, profile: PipelineConfig | str | None) -> DialogueConfig:
    if profile is None:
        return found.dialogue or PAPER
    if isinstance(profile, str):
        from pixel_core.config.profile import load_profile

        profile = load_profile(profile)
    trained = found.dialogue or profile.dialogue
    try:
        return profile.benchmarks.answers.dialogue(trained, operations=True)
    except ValueError as error:
        raise ConfigError(
            f"benchmarks.answers of profile {profile.name} contradicts the dialogue of "
            f"{found.name}: {error}"
        ) from error
