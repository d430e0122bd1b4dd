"""The whole path, from seeds to a report: the recipe, and nothing else.

Started by ``pixel run``, or by any Prefect deployment of ``pipeline``: its parameters are
plain JSON. Each line is one task; finished stages are reused from the store.
"""

from __future__ import annotations

from prefect import flow

from flows.benchmarks import benchmarks
from flows.request import RunRequest
from flows.run import running
from tasks.stages import stage_task

ingest = stage_task("ingest")
annotate = stage_task("annotate")
synthesize = stage_task("synthesize")
base_model = stage_task("base_model")
text_only = stage_task("text_only")
sft = stage_task("sft")
rl = stage_task("rl")
answers_base = stage_task("answers_base")
answers_warm_start = stage_task("answers_warm_start")
answers_policy = stage_task("answers_policy")
evaluate = stage_task("evaluate")
report = stage_task("report")


@flow(name="pixel-reasoner", description=__doc__)
def pipeline(
    profile: str = "tiny",
    overrides: list[str] | None = None,
    store: str | None = None,
    force_from: str | None = None,
    until: str | None = None,
    verify: bool = False,
) -> dict[str, str]:
    """Make what is missing; return each stage's artifact key.

    ``verify``: read every byte of what is reused, also of files that show no change.
    """
    request = RunRequest(profile, tuple(overrides or ()), store, force_from, until, verify)
    with running(request) as run:
        seeds = ingest(run)
        annotations = annotate(run, seeds)
        trajectories = synthesize(run, annotations)
        base = base_model(run)
        own_answers = text_only(run, seeds, annotations, trajectories, base)
        warm_start = sft(run, seeds, annotations, trajectories, base, own_answers)
        policy = rl(run, seeds, annotations, warm_start)
        answers = (
            answers_base(run, seeds, base),
            answers_warm_start(run, seeds, warm_start),
            answers_policy(run, seeds, policy),
        )
        scores = evaluate(run, *answers)
        data = seeds, annotations, trajectories, base, own_answers
        report(run, *data, warm_start, policy, *answers, scores)
        benchmarks(run, ingest=seeds, base=base, warm_start=warm_start, policy=policy)
    return run.keys()
