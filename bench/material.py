"""Input for the benchmarks: drawn questions, trajectories, and a model of profile tiny."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.data.annotation import stage as annotate
from pixel_core.data.sources import ingest
from pixel_core.data.synthesis import stage as synthesize
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.training import text_only
from pixel_core.workflow.stage import SilentProgress, StageContext, Workspace
from pixel_core.workflow.store import Store


@dataclass(frozen=True)
class Material:
    config: PipelineConfig
    #: Folders of the stages ingest, annotate and synthesize, by name.
    inputs: dict[str, Path]


def make(folder: Path, train: int) -> Material:
    """Run the data stages of profile tiny for ``train`` questions below ``folder``."""
    counts = (f"ingest.drawn.train={train}", "ingest.drawn.validation=1", "ingest.drawn.test=1")
    config = load_profile("tiny", counts)
    inputs: dict[str, Path] = {}
    for name, run in (
        ("ingest", ingest.run),
        ("annotate", annotate.run),
        ("synthesize", synthesize.run),
        ("text_only", text_only.run),
    ):
        out = folder / name
        out.mkdir(parents=True)
        run(StageContext(config, dict(inputs), out, NoWorkspace(), SilentProgress()))
        inputs[name] = out
    return Material(config, inputs)


def model(material: Material, store: str, stage: str) -> tuple[Any, Renderer]:
    """The stage's latest model in a store; without one, a tiny model with random weights."""
    from pixel_core.models.loading import load_model
    from pixel_core.tiny.model import build_tiny
    from pixel_core.tiny.tokenizer import build_tokenizer

    dialogue = material.config.dialogue
    if store:
        artifact = Store.open(store).latest(stage)
        if artifact is None:
            raise SystemExit(f"{store} holds no model of stage {stage}: run the pipeline there")
        loaded, vocabulary = load_model(artifact.local())
        return loaded, Renderer(dialogue, vocabulary)
    tokenizer = build_tokenizer(dialogue)
    built = build_tiny(material.config.base_model.tiny, tokenizer, seed=0).eval()
    return built, Renderer(dialogue, Vocabulary.of(tokenizer))


class NoWorkspace(Workspace):
    """For stages that save no intermediate state."""

    def put(self, name: str, data: bytes) -> None:
        raise AssertionError(f"a data stage saved {name}")

    def get(self, name: str) -> bytes | None:
        return None

    def names(self) -> list[str]:
        return []

    def delete(self, name: str) -> None:
        pass
