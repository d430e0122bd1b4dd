"""The table of stages, in the order they run."""

from __future__ import annotations

from collections.abc import Sequence

from pixel_core.config import PipelineConfig
from pixel_core.workflow.benchmark_stages import MODELS, benchmark_stages
from pixel_core.workflow.stage import Stage

__all__ = ["BY_NAME", "MODELS", "STAGES", "downstream", "stages_of"]

STAGES: tuple[Stage, ...] = (
    Stage(
        "ingest",
        1,
        ("ingest",),
        (),
        "pixel_core.data.sources.ingest:run",
        "picture questions from a source, split into train, validation and test",
        fingerprint="pixel_core.data.sources.ingest:fingerprint",
        ready="pixel_core.data.sources.pages.browser:check",
    ),
    Stage(
        "annotate",
        3,
        ("annotate",),
        ("ingest",),
        "pixel_core.data.annotation.stage:run",
        "where the cue of each question is",
        ready="pixel_core.data.annotation.ready:check",
        predict="pixel_core.data.annotation.prediction:predict",
    ),
    Stage(
        "synthesize",
        4,
        ("synthesize", "dialogue"),
        ("annotate",),
        "pixel_core.data.synthesis.stage:run",
        "trajectories with their self-correction branches",
        fingerprint="pixel_core.data.synthesis.imported:fingerprint",
    ),
    Stage(
        "base_model",
        1,
        ("base_model", "dialogue"),
        (),
        "pixel_core.training.stages:base_model",
        "the model to start from",
        fingerprint="pixel_core.training.base_model_key:fingerprint",
    ),
    Stage(
        "text_only",
        3,
        ("text_only", "dialogue"),
        ("ingest", "annotate", "synthesize", "base_model"),
        "pixel_core.training.text_only:run",
        "the base model's own right answers, for the warm start",
        ready="pixel_core.models.engine_ready:check_text_only",
    ),
    Stage(
        "sft",
        1,
        ("sft", "dialogue"),
        ("ingest", "annotate", "synthesize", "base_model", "text_only"),
        "pixel_core.training.stages:sft",
        "the warm start: instruction tuning on the trajectories",
        ready="pixel_core.training.ray_train.ready:check",
        backends={"ray_train": "pixel_core.training.ray_train.stage:run"},
    ),
    Stage(
        "rl",
        3,
        ("rl", "dialogue"),
        ("ingest", "annotate", "sft"),
        "pixel_core.training.stages:rl",
        "GRPO with the curiosity reward",
        ready="pixel_core.training.openrlhf.ready:check",
        backends={"openrlhf": "pixel_core.training.openrlhf.stage:run"},
    ),
    *(
        Stage(
            f"answers_{model}",
            3,
            ("answers", "dialogue"),
            ("ingest", maker),
            "pixel_core.evaluation.answers:run",
            f"the {model.replace('_', ' ')}'s answers to the held-out questions",
            ready="pixel_core.models.engine_ready:check_answers",
            foresees={"ingest": "pixel_core.evaluation.foresight:check_test_questions"},
            arguments={"model_stage": maker},
        )
        for model, maker in MODELS.items()
    ),
    Stage(
        "evaluate",
        2,
        ("evaluate",),
        tuple(f"answers_{model}" for model in MODELS),
        "pixel_core.evaluation.held_out:run",
        "scores with intervals, and the paired comparison",
    ),
    Stage(
        "report",
        2,
        # The page lists every setting that shaped the result, so all of them join its key.
        (
            "report",
            "dialogue",
            "ingest",
            "annotate",
            "synthesize",
            "base_model",
            "text_only",
            "sft",
            "rl",
            "answers",
            "evaluate",
        ),
        (
            "ingest",
            "annotate",
            "synthesize",
            "base_model",
            "text_only",
            "sft",
            "rl",
            *(f"answers_{model}" for model in MODELS),
            "evaluate",
        ),
        "pixel_core.report.report:run",
        "one self-contained HTML page",
        unread=("model/*.safetensors",),
    ),
)

BY_NAME = {stage.name: stage for stage in STAGES}


def stages_of(config: PipelineConfig) -> tuple[Stage, ...]:
    """The stages of a profile: the table, and those its benchmarks add."""
    return STAGES + benchmark_stages(config)


def downstream(name: str, stages: Sequence[Stage] = STAGES) -> set[str]:
    """The stage and every stage that depends on it."""
    reached = {name}
    for stage in stages:
        if reached & set(stage.needs):
            reached.add(stage.name)
    return reached
