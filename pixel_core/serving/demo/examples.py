"""Example questions from the drawn world, freshly drawn so that no model trained on them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from PIL import Image

from pixel_core.config import DrawnConfig
from pixel_core.tiny.clip import KIND, ClipWorld, ask_clip
from pixel_core.tiny.draw import draw
from pixel_core.tiny.questions import ask
from pixel_core.tiny.scene import World

#: Scenes to choose pictures from.
_POOL = 60


@dataclass(frozen=True)
class Example:
    """``images``: RGB; for a video, its frames. ``legible``: whether the answer can be read
    without an operation."""

    images: tuple[Image.Image, ...]
    is_video: bool
    question: str
    answer: str
    kind: str
    legible: bool


def draw_examples(config: DrawnConfig, count: int = 6) -> list[Example]:
    """Examples of every kind in the world, twice as many of those that need an operation,
    which come first. Worlds with videos add some, last.

    The random streams differ from those of the splits. Raises ``ConfigError`` for a world
    that can't be drawn.
    """
    videos = count // 3 if config.video_share else 0
    kinds: dict[str, list[Example]] = {}
    for number in range(_POOL):
        example = _picture(config, number)
        kinds.setdefault(example.kind, []).append(example)
    pictures: list[Example] = []
    for turn in range(_POOL):
        for group in kinds.values():
            at, share = (turn, 1) if group[0].legible else (2 * turn, 2)
            pictures += group[at : at + share]
    pictures = sorted(pictures[: count - videos], key=lambda one: one.legible)
    return pictures + [_video(config, number) for number in range(videos)]


def _picture(config: DrawnConfig, number: int) -> Example:
    rng = random.Random(f"{config.seed}/demo/{number}")
    scene = World(config.world).scene(rng)
    question = ask(scene, rng, config.world.questions)
    return Example(
        images=(draw(scene),),
        is_video=False,
        question=question.question,
        answer=question.answer,
        kind=question.kind,
        legible=question.legible,
    )


def _video(config: DrawnConfig, number: int) -> Example:
    rng = random.Random(f"{config.seed}/demo/{number}/clip")
    clip = ClipWorld(config.clip).clip(rng)
    question = ask_clip(clip, rng)
    return Example(
        images=tuple(draw(scene) for scene in clip.scenes()),
        is_video=True,
        question=question.question,
        answer=question.answer,
        kind=KIND,
        legible=False,
    )
