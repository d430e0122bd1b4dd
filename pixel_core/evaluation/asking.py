"""How one row of a benchmark is asked: everything that shapes its answers, in one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.config import DialogueConfig, EngineConfig, PipelineConfig, SamplingConfig
from pixel_core.models.loading import load_vocabulary
from pixel_core.records import Query
from pixel_core.rollout.renderer import Renderer
from pixel_core.workflow.store.identity import canonical


@dataclass(frozen=True)
class Asking:
    """``endpoint_section``: of the profile, where the row's own endpoint stands; "" where the
    engine is that of all rows."""

    dialogue: DialogueConfig
    engine: EngineConfig
    endpoint_section: str
    sampling: SamplingConfig
    samples: int
    #: None for greedy answers, which are drawn from nothing.
    seed: int | None
    #: Questions answered together; what is sampled is drawn by chunk.
    chunk: int
    #: Whether episodes with an operation are asked once more before its return.
    probe: bool

    @classmethod
    def of(cls, config: PipelineConfig, operations: bool, endpoint: str) -> Asking:
        """A row's, of ``benchmarks``; ``endpoint``: its name there, "" for a model of ours.

        Whether the settings fit each other was seen to when the profile was read.
        """
        section = config.benchmarks.answers
        engine, where = section.engine, ""
        if endpoint:
            asked = config.benchmarks.endpoints[endpoint]
            engine = EngineConfig(kind="endpoint", endpoint=asked)
            where = f"benchmarks.endpoints.{endpoint}"
        return cls(
            dialogue=section.dialogue(config.dialogue, operations=operations),
            engine=engine,
            endpoint_section=where,
            sampling=section.sampling,
            samples=section.samples,
            seed=section.seed if section.sampling.temperature else None,
            chunk=section.chunk,
            probe=section.probe and operations and not endpoint,
        )

    def settings(self, model: Path, queries: Sequence[Query]) -> dict[str, Any]:
        """What ``settings.json`` holds: all of it that changes scores, the prompts' own words
        among it. Where it was asked (an address, a key's name, workers) is left out.

        ``model``: the folder of the model's artifact. ``DataError`` if it has no vocabulary.
        """
        engine = canonical(self.engine, "engine")
        if self.engine.kind == "embedded":
            engine["dtype"] = "float32"
        prompts = Renderer(self.dialogue, load_vocabulary(model))
        kinds = sorted({query.is_video for query in queries})
        return {
            "dialogue": self.dialogue.model_dump(mode="json"),
            "engine": engine,
            "sampling": self.sampling.model_dump(mode="json"),
            "samples": self.samples,
            "seed": self.seed,
            "chunk": self.chunk,
            "probe": self.probe,
            "prompt": {
                "video" if video else "picture": dict(
                    zip(("before", "after"), prompts.around(video), strict=True)
                )
                for video in kinds
            },
        }
