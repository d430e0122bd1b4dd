"""The table of stages, in the order they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pixel_core.config import PipelineConfig
from pixel_core.workflow.stage import Stage

# The stages that a profile's benchmarks add to the table, from ``config.benchmarks``.
#
# For each benchmark: its questions (``benchmark_vstar``), each model's answers
# (``answers_vstar_policy``, ``answers_vstar_policy_notool``), its scores (``scores_vstar``);
# and last one page for all. Each is cached by itself, so that one more benchmark, or model,
# makes only what is new, and scoring differently generates nothing.


#: Stages that make the models which answer, by the name in the scores.
MODELS = {"base": "base_model", "warm_start": "sft", "policy": "rl"}

#: The page of all benchmarks.
PAGE = "benchmarks"


@dataclass(frozen=True)
class ModelVariant:
    """Who answers: a model of the pipeline, with or without operations, or an endpoint."""

    name: str
    #: The pipeline's model; for an endpoint the one that lends its vocabulary.
    model: str
    operations: bool = True
    #: A name in ``benchmarks.endpoints``; "": the model answers itself.
    endpoint: str = ""


def rows_of(config: PipelineConfig) -> tuple[ModelVariant, ...]:
    """The rows of every score table, in order."""
    rows: list[ModelVariant] = []
    named = [ModelVariant(model, model) for model in config.benchmarks.models]
    named += [ModelVariant(name, "base", endpoint=name) for name in config.benchmarks.endpoints]
    for row in named:
        rows.append(row)
        if config.benchmarks.notool:
            rows.append(ModelVariant(f"{row.name}_notool", row.model, False, row.endpoint))
    return tuple(rows)


def questions_stage(benchmark: str) -> str:
    return f"benchmark_{benchmark}"


def answers_stage(benchmark: str, row: ModelVariant) -> str:
    return f"answers_{benchmark}_{row.name}"


def scores_stage(benchmark: str) -> str:
    return f"scores_{benchmark}"


def benchmark_stages(config: PipelineConfig) -> tuple[Stage, ...]:
    """In the order they run; () where the profile names no benchmark."""
    names, rows = config.benchmarks.names, rows_of(config)
    stages: list[Stage] = []
    for name in names:
        stages.append(_questions(name))
        stages += [_answers(name, row) for row in rows]
        stages.append(
            Stage(
                scores_stage(name),
                4,
                ("benchmarks.scoring",),
                (questions_stage(name), *(answers_stage(name, row) for row in rows)),
                "pixel_core.evaluation.scores:run",
                f"scores of {name} with intervals, tool gain and harm, and who beats whom",
                # In this order: a pair's sign hangs on who is named first.
                arguments={"benchmark": name, "rows": [row.name for row in rows]},
            )
        )
    if names:
        answered = [answers_stage(name, row) for name in names for row in rows]
        stages.append(
            Stage(
                PAGE,
                3,
                ("benchmarks", "dialogue"),
                (
                    *(questions_stage(name) for name in names),
                    *answered,
                    *(scores_stage(name) for name in names),
                ),
                "pixel_core.evaluation.page.page:run",
                "one self-contained HTML page of all benchmarks",
            )
        )
    return tuple(stages)


def _questions(benchmark: str) -> Stage:
    return Stage(
        questions_stage(benchmark),
        3,
        (f"benchmarks.{benchmark}",),
        ("ingest",) if benchmark == "drawn" else (),
        "pixel_core.evaluation.benchmarks.prepare:run",
        f"the questions of {benchmark}, checked against what was published",
        fingerprint="pixel_core.evaluation.benchmarks.prepare:fingerprint",
        foresees=(
            {"ingest": "pixel_core.evaluation.held_out:check_test_questions"}
            if benchmark == "drawn"
            else {}
        ),
        arguments={"benchmark": benchmark},
    )


def _answers(benchmark: str, row: ModelVariant) -> Stage:
    who = f"endpoint {row.endpoint}" if row.endpoint else row.model.replace("_", " ")
    without = "" if row.operations else ", without operations"
    return Stage(
        answers_stage(benchmark, row),
        4,
        (
            "benchmarks.answers",
            "dialogue",
            *((f"benchmarks.endpoints.{row.endpoint}",) if row.endpoint else ()),
        ),
        (questions_stage(benchmark), MODELS[row.model]),
        "pixel_core.evaluation.benchmark_answers:run",
        f"answers to {benchmark} by the {who}{without}",
        ready="pixel_core.models.engines:check_benchmark_answers",
        unused=_unused(row),
        arguments={
            "questions_stage": questions_stage(benchmark),
            "model_stage": MODELS[row.model],
            "operations": row.operations,
            "endpoint": row.endpoint,
        },
    )


def _unused(row: ModelVariant) -> frozenset[str]:
    """Settings of other rows: a change of theirs must not have a paid endpoint asked again."""
    fields = set()
    if row.endpoint:
        fields.add("engine")
    if row.endpoint or not row.operations:
        fields.add("probe")
    return frozenset(f"benchmarks.answers.{field}" for field in fields)


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
        ready="pixel_core.data.annotation.stage:check",
        predict="pixel_core.data.annotation.cost_estimate:predict",
    ),
    Stage(
        "synthesize",
        4,
        ("synthesize", "dialogue"),
        ("annotate",),
        "pixel_core.data.synthesis.stage:run",
        "trajectories with their self-correction branches",
        fingerprint="pixel_core.data.synthesis.stage:fingerprint",
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
        ready="pixel_core.models.engines:check_text_only",
    ),
    Stage(
        "sft",
        1,
        ("sft", "dialogue"),
        ("ingest", "annotate", "synthesize", "base_model", "text_only"),
        "pixel_core.training.stages:sft",
        "the warm start: instruction tuning on the trajectories",
        ready="pixel_core.training.ray_train.stage:check",
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
            ready="pixel_core.models.engines:check_answers",
            foresees={"ingest": "pixel_core.evaluation.held_out:check_test_questions"},
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
