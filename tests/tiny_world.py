"""The parts that model tests share: a tiny model with random weights, and questions."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from pixel_core.config import (
    DialogueConfig,
    FramesConfig,
    PixelBudget,
    QuestionShares,
    TinyModelConfig,
    WorldConfig,
    ZoomConfig,
)
from pixel_core.records import Picture, Query
from pixel_core.rollout.engine import Completion
from pixel_core.rollout.episode import Episode, RenderedPrompt
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.tool_calls import ZoomCall, format_call
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.tiny.draw import draw
from pixel_core.tiny.model import build_tiny
from pixel_core.tiny.questions import ask
from pixel_core.tiny.scene import World
from pixel_core.tiny.tokenizer import build_tokenizer

torch.set_num_threads(1)


def dialogue(**changes: Any) -> DialogueConfig:
    values: dict[str, Any] = {
        "prompt": "compact",
        "picture": PixelBudget(min_pixels=112 * 112, max_pixels=112 * 112),
        "crop": PixelBudget(min_pixels=56 * 56, max_pixels=84 * 84),
        "zoom": ZoomConfig(coordinates="pixel", padding=0.0, min_side=20),
        "frames": FramesConfig(
            frame=PixelBudget(min_pixels=56 * 56, max_pixels=56 * 56),
            selected=PixelBudget(min_pixels=112 * 112, max_pixels=112 * 112),
        ),
        "max_operations": 4,
        "max_new_tokens": 32,
        "max_tokens": 1024,
    }
    return DialogueConfig(**values | changes)


@dataclass(frozen=True)
class Tiny:
    model: Any
    vocabulary: Vocabulary
    prompts: Renderer


@lru_cache(maxsize=4)
def tiny(seed: int = 0, config: DialogueConfig | None = None) -> Tiny:
    settings = config or dialogue()
    tokenizer = build_tokenizer(settings)
    # Larger weights than in training: a random model's choices should be far from uniform.
    model = build_tiny(TinyModelConfig(init_std=0.1), tokenizer, seed).eval()
    vocabulary = Vocabulary.of(tokenizer)
    return Tiny(model, vocabulary, Renderer(settings, vocabulary))


def opening(
    prompts: Renderer, seed: int, sizes: tuple[tuple[int, int], ...] = ()
) -> RenderedPrompt:
    """A drawn question; ``sizes`` stretch its picture(s) to other shapes."""
    rng = random.Random(seed)
    scene = World(WorldConfig()).scene(rng)
    question = ask(scene, rng, QuestionShares())
    images = [draw(scene).resize(size) for size in sizes] or [draw(scene)]
    pictures = tuple(
        Picture(member=str(i), width=image.width, height=image.height, sha256="")
        for i, image in enumerate(images)
    )
    query = Query(
        id=f"q{seed}",
        question=question.question,
        pictures=pictures,
        answers=(question.answer,),
        kind=question.kind,
    )
    return RenderedPrompt.of(query, images, prompts)


def video_opening(prompts: Renderer, seed: int, frames: int = 4) -> RenderedPrompt:
    """A video of so many drawn pictures; the question is about the first."""
    first = opening(prompts, seed)
    images = [opening(prompts, seed + frame).shown[0].image for frame in range(frames)]
    pictures = first.query.pictures * frames
    query = first.query.model_copy(update={"pictures": pictures, "is_video": True})
    return RenderedPrompt.of(query, images, prompts)


class Scripted:
    """An engine that writes given turns; what it samples has made-up log-probabilities.

    A model with random weights never calls an operation, so tests put calls in its mouth
    and then compare what real engines compute on the transcript.
    """

    def __init__(self, vocabulary: Vocabulary, turns: list[list[str]]) -> None:
        self.vocabulary = vocabulary
        self._turns = [list(texts) for texts in turns]
        self._of: dict[int, list[str]] = {}

    def generate(
        self, transcripts: Any, sampling: Any, max_new_tokens: int, banned: Any = ()
    ) -> Any:
        completions = []
        for transcript in transcripts:
            if id(transcript) not in self._of:
                self._of[id(transcript)] = self._turns.pop(0)
            texts = self._of[id(transcript)]
            tokens = [*self.vocabulary.encode_plain(texts.pop(0)), self.vocabulary.turn_end]
            finished = len(tokens) <= max_new_tokens
            tokens = tokens[:max_new_tokens]
            completions.append(Completion(tokens, [-1.0] * len(tokens), finished))
        return completions

    def forget(self) -> None:
        self._of = {}


def call(prompts: Renderer, box: tuple[int, int, int, int], target: int = 1) -> str:
    return format_call(ZoomCall(box=box, target=target), prompts.dialogue.zoom)


def texts(episode: Episode) -> list[str]:
    return [step.text for step in episode.steps]
