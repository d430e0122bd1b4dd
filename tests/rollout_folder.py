"""What the stage lays beside the agent, made in a moment: a tokenizer, pictures, settings."""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path
from typing import Any

from tiny_world import dialogue

from pixel_core.config import (
    AdvantageKind,
    DialogueConfig,
    QuestionShares,
    RewardConfig,
    TinyModelConfig,
    WorldConfig,
)
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.models.loading import FOLDER, save_model
from pixel_core.records import Query
from pixel_core.tiny.draw import draw
from pixel_core.tiny.model import build_tiny
from pixel_core.tiny.questions import ask
from pixel_core.tiny.scene import World
from pixel_core.tiny.tokenizer import build_tokenizer
from pixel_core.training.openrlhf.settings import AgentSettings

SMALL = TinyModelConfig(vision_depth=1, vision_hidden=32, layers=1, hidden=32, heads=1)


def make_queries(folder: Path, count: int) -> list[Query]:
    """Drawn questions, their pictures in ``folder/pictures.zip``; every fourth is a video."""
    queries = []
    with PictureArchiveWriter(folder / "pictures.zip") as archive:
        for seed in range(count):
            rng = random.Random(seed)
            scene = World(WorldConfig()).scene(rng)
            question = ask(scene, rng, QuestionShares())
            video = seed % 4 == 3
            pictures = []
            for frame in range(3 if video else 1):
                image, data = draw(scene), BytesIO()
                image.resize((448 - 28 * frame, 448)).save(data, "PNG")
                name = f"{seed}-{frame}.png"
                pictures.append(archive.add(name, data.getvalue(), 448 - 28 * frame, 448))
            queries.append(
                Query(
                    id=f"q{seed}",
                    question=question.question,
                    pictures=tuple(pictures),
                    is_video=video,
                    answers=(question.answer,),
                )
            )
    return queries


def make_model(folder: Path, settings: DialogueConfig) -> None:
    """A model artifact with random weights in ``folder/model``."""
    tokenizer = build_tokenizer(settings)
    save_model(build_tiny(SMALL, tokenizer, 0), tokenizer, folder)


def make_folder(
    folder: Path,
    *,
    reward: RewardConfig | None = None,
    advantage: AdvantageKind = "mean",
    group: int = 4,
    queries: int = 1,
    **changes: Any,
) -> list[Query]:
    """A run's folder as the agent wants it; of the model it reads the tokenizer alone."""
    settings = dialogue(**changes)
    tokenizer = build_tokenizer(settings)
    tokenizer.save_pretrained(folder / FOLDER)
    AgentSettings(
        dialogue=settings,
        reward=reward or RewardConfig(),
        advantage=advantage,
        group=group,
        model=str(folder / FOLDER),
        rows=len(tokenizer) + 3,  # released models have more rows than tokens
        pictures=str(folder),
    ).write(folder)
    return make_queries(folder, queries)
