"""The part of a recipe that answers, scores and shows the profile's benchmarks.

Which stages there are follows from the profile (``pixel_core.workflow.table``), so
this recipe walks their table: each step is given what it needs, and Prefect's page draws the
arrows.
"""

from __future__ import annotations

from prefect.logging import get_run_logger

from flows.results import benchmark_tables
from pixel_core.workflow.table import BY_NAME, MODELS, scores_stage
from tasks.page import artifact_key, show_markdown, tables_markdown
from tasks.run import Run
from tasks.stages import Made, stage_task

#: What a step made in this run, or the address of what an earlier run made.
Given = Made | str


def benchmarks(run: Run, *, ingest: Given = None, **models: Given) -> None:
    """Make the stages that the run's profile adds to the table; nothing where it adds none.

    ``models``: by their names in the scores (``base``, ``warm_start``, ``policy``), those that
    the profile's rows need; ``ingest``: for the benchmark that is drawn from it.
    """
    made: dict[str, Given] = {"ingest": ingest}
    made |= {MODELS[name]: model for name, model in models.items()}
    scored = {scores_stage(name) for name in run.config.benchmarks.names}
    for stage in run.stages:
        if stage.name in BY_NAME:
            continue
        inputs = (made.get(need) for need in stage.needs)
        made[stage.name] = stage_task(stage.name, stage)(run, *inputs)
        if stage.name in scored and stage.name in run.outcomes:
            scores = run.outcomes[stage.name].artifact
            result, tables = benchmark_tables(scores, run.store)
            text = tables_markdown(result.title, tables)
            show_markdown(artifact_key(stage.name), text, get_run_logger())
