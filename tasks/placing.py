"""Running a stage where its settings place it: in this process, or on the Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pixel_core.config import PipelineConfig
from pixel_core.workflow.cluster.remote import run_on_cluster
from pixel_core.workflow.runner import StageOutcome, run_stage
from pixel_core.workflow.stage import Stage
from pixel_core.workflow.store import Artifact, Store


def run_placed(
    stage: Stage,
    config: PipelineConfig,
    inputs: Mapping[str, Artifact],
    store: Store,
    *,
    log: Callable[[str], None],
    cancelled: Callable[[], bool],
    **options: Any,
) -> StageOutcome:
    """``options`` are those of ``run_stage``; ``log`` and ``cancelled`` matter on a cluster."""
    if stage.place(config).on == "ray":
        return run_on_cluster(
            stage, config, inputs, store, log=log, cancelled=cancelled, **options
        )
    return run_stage(stage, config, inputs, store, **options)
