"""The rules that a layout on the cluster must keep whatever the cluster has.

Pure functions of a configuration, without Ray: usable wherever a plan is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

from pixel_core.config import (
    AnswersConfig,
    BenchmarkAnswersConfig,
    PipelineConfig,
    RlConfig,
    SftConfig,
    TextOnlyConfig,
)
from pixel_core.config.engine import EngineConfig
from pixel_core.config.rl import layout_rules
from pixel_core.errors import ConfigError
from pixel_core.workflow.stage import Stage, section_of


def check_layout(stages: Sequence[Stage], config: PipelineConfig) -> None:
    """Raise ``ConfigError`` with every rule that the stages' layouts break."""
    broken = [line for stage in stages for line in broken_rules(stage, config)]
    if broken:
        raise ConfigError(
            "the layout on the cluster can't work:"
            + "".join(f"\n  {line}" for line in dict.fromkeys(broken))
        )


def broken_rules(stage: Stage, config: PipelineConfig) -> tuple[str, ...]:
    """What is inconsistent in a stage's layout, whatever the cluster has."""
    section = stage.section(config)
    name = section_name(stage)
    broken = _uneven(f"{name}.place.gpus", stage.place(config).gpus)
    if isinstance(section, SftConfig) and section.steps and section.backend == "ray_train":
        broken += _broken_ray_train(section)
    if isinstance(section, RlConfig) and section.backend == "openrlhf":
        broken += tuple(f"rl: {line}" for line in layout_rules(section))
    if engine := engine_of(section):
        broken += _broken_engine(name, engine, config)
    return broken


def engine_of(section: object) -> EngineConfig | None:
    """What answers in a section of a stage that only answers; None elsewhere, and where
    nothing is sampled."""
    if isinstance(section, TextOnlyConfig):
        return section.engine if section.share else None
    return (
        section.engine if isinstance(section, AnswersConfig | BenchmarkAnswersConfig) else None
    )


def section_name(stage: Stage) -> str:
    """The section that holds the stage's place."""
    return stage.sections[0] if stage.sections else stage.name


def _broken_ray_train(section: SftConfig) -> tuple[str, ...]:
    workers = section.ray_train.workers
    if workers <= section.batch:
        return ()
    return (
        f"sft.ray_train.workers {workers} is above sft.batch {section.batch}: some would get "
        "nothing; use fewer workers, or a larger batch",
    )


def _broken_engine(name: str, engine: EngineConfig, config: PipelineConfig) -> tuple[str, ...]:
    if not engine.actors and engine.gpus_per_actor:
        return (
            f"{name}.engine.gpus_per_actor {engine.gpus_per_actor:g} without actors reserves "
            f"nothing: set {name}.engine.actors, or give the GPUs to {name}.place.gpus",
        )
    broken = _uneven(f"{name}.engine.gpus_per_actor", engine.gpus_per_actor)
    if engine.kind != "vllm":
        return broken
    field = f"{name}.engine.gpus_per_actor" if engine.actors else f"{name}.place.gpus"
    gpus = engine.gpus_per_actor if engine.actors else section_of(config, name).place.gpus
    parallel = engine.vllm.tensor_parallel
    if not gpus and config.cluster.versions == "gpu_plane":
        broken += (f"{field} 0 hides the GPUs from vLLM: give it {parallel}",)
    if gpus and max(gpus, 1) != parallel:
        broken += (
            f"{name}.engine.vllm.tensor_parallel {parallel} does not match {field} {gpus:g}: "
            "an engine uses as many GPUs as it is parallel; make them equal",
        )
    return broken


def _uneven(field: str, gpus: float) -> tuple[str, ...]:
    if gpus <= 1 or gpus == floor(gpus):
        return ()
    return (f"{field} {gpus:g}: Ray divides one GPU, not several; give a whole number",)
