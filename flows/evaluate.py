"""The latest trained models answer today's test questions, and the profile's benchmarks, and
are scored. Nothing is trained.

The nightly companion of ``pipeline``, whose ``until="evaluate"`` would train on data that
changed during the day. Finished answers are reused from the store.
"""

from __future__ import annotations

from prefect import flow
from prefect.logging import get_run_logger

from flows.benchmarks import Given, benchmarks
from flows.evaluation_request import EvaluationRequest, unusable
from flows.run import running
from pixel_core.workflow.runner import StageOutcome
from pixel_core.workflow.store import Damaged, Valid
from pixel_core.workflow.table import MODELS
from tasks.run import Run, address
from tasks.stages import stage_task

ingest = stage_task("ingest")
base_model = stage_task("base_model")
answers_base = stage_task("answers_base")
answers_warm_start = stage_task("answers_warm_start")
answers_policy = stage_task("answers_policy")
evaluate = stage_task("evaluate")


@flow(name="pixel-evaluation", description=__doc__)
def evaluation(
    profile: str = "tiny",
    overrides: list[str] | None = None,
    store: str | None = None,
    test_questions: bool = True,
    verify: bool = False,
) -> dict[str, str]:
    """Score the models; return each stage's artifact key.

    ``test_questions``: false leaves the profile's benchmarks alone. ``verify``: read every byte
    of what is reused, also of files that show no change.
    """
    request = EvaluationRequest(
        profile, tuple(overrides or ()), store, verify=verify, test_questions=test_questions
    )
    with running(request) as run:
        names = {stage.name for stage in request.stages(run.config)}
        models = _trained_models(run, request)
        if request.makes_base(run.config):
            models["base"] = base_model(run)
        seeds = ingest(run) if "ingest" in names else None
        if test_questions:
            base, warm_start, policy = (models[name] for name in MODELS)
            evaluate(
                run,
                answers_base(run, seeds, base),
                answers_warm_start(run, seeds, warm_start),
                answers_policy(run, seeds, policy),
            )
        benchmarks(run, ingest=seeds, **models)
    return run.keys()


def _trained_models(run: Run, request: EvaluationRequest) -> dict[str, Given]:
    """The addresses of the trained models by their names, now part of ``run``. Raises
    ``ConfigError`` where none has trained, ``DataError`` for a damaged one."""
    trained = request.trained(run.config, run.store)
    if trained.run:
        get_run_logger().info("the models are those of run %s", trained.run)
    for stage, key in trained.keys.items():
        verdict = run.store.find(stage, key)
        if not isinstance(verdict, Valid):
            how = verdict.how if isinstance(verdict, Damaged) else "it is gone"
            raise unusable(stage, trained.run, how)
        reason = f"of run {trained.run}"
        run.outcomes[stage] = StageOutcome(verdict.artifact, "reused", reason, 0.0)
    return {
        name: address(run.outcomes[stage].artifact)
        for name, stage in MODELS.items()
        if stage in trained.keys
    }
