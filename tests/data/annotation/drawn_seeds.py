"""An ingest artifact of drawn scenes whose questions have no cue yet, and contexts on it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from pixel_core.config import (
    AnnotateConfig,
    OpenAIConfig,
    PipelineConfig,
    QuestionShares,
    WorldConfig,
)
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.records import Provenance, Seed, Split, write_jsonl
from pixel_core.tiny.draw import png
from pixel_core.tiny.questions import ask
from pixel_core.tiny.scene import World
from pixel_core.workflow.stage import Progress, SilentProgress, StageContext
from pixel_core.workflow.store.local_storage import LocalStorage
from pixel_core.workflow.store.workspace import StoredWorkspace, cache_folder, open_notes

DIGITS = QuestionShares(digit=1, count=0, exists=0)


def write_ingest(folder: Path, count: int, *, asking: bool = True) -> list[Seed]:
    """``count`` seeds, one scene each; ``asking`` False: photos without a question."""
    folder.mkdir()
    world = World(WorldConfig())
    seeds = []
    with PictureArchiveWriter(folder / "pictures.zip") as archive:
        for number in range(count):
            rng = random.Random(f"scene/{number}")
            scene = world.scene(rng)
            question = ask(scene, rng, DIGITS)
            side = world.config.side
            picture = archive.add(f"{number:05d}.png", png(scene), side, side)
            seeds.append(
                Seed(
                    id=f"seed-{number:05d}",
                    split=Split.TRAIN,
                    question=question.question if asking else "",
                    answers=(question.answer,) if asking else (),
                    pictures=(picture,),
                    kind=question.kind,
                    provenance=Provenance(source="test"),
                )
            )
    write_jsonl(folder / "seeds.jsonl", seeds)
    return seeds


def context_on(
    ingest: Path, store: Path, url: str, progress: Progress | None = None, **openai: Any
) -> StageContext:
    """A context of stage annotate; those with one ``store`` share its notes."""
    settings = {
        "base_url": url,
        "api_key_env": "TEST_ANNOTATOR_KEY",
        "model": "gpt-4o-test",
        "timeout_s": 5.0,
        "max_retries": 2,
        # What is shown at first is a quarter of the side: small digits can't be read.
        "verify": {"votes": 1, "whole_pixels": 112 * 112},
        "batch": {"poll_s": 0.02},
        **openai,
    }
    config = OpenAIConfig.model_validate(settings)
    storage = LocalStorage(store)
    out = store / "out"
    out.mkdir(parents=True, exist_ok=True)
    return StageContext(
        config=PipelineConfig(annotate=AnnotateConfig(by="openai", openai=config)),
        inputs={"ingest": ingest},
        out=out,
        work=StoredWorkspace(storage, "work/annotate", "0"),
        progress=progress or SilentProgress(),
        shared=open_notes(storage, "annotate", "a-test"),
        cache=cache_folder(storage, "annotate"),
    )
