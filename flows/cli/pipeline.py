"""The commands of the pipeline: ``run``, ``plan``, ``show``, ``report``, ``evaluate``."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.options import (
    AsJson,
    Debug,
    ForceFrom,
    Overrides,
    Profile,
    StoreUri,
    Until,
    Verbose,
    Verify,
)
from flows.cli.terminal import clear_endings


def run(
    profile: Profile = "tiny",
    overrides: Overrides = None,
    store: StoreUri = None,
    force_from: ForceFrom = None,
    until: Until = None,
    verify: Verify = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Make what is missing, reuse the rest, end with scores and a report."""
    with clear_endings(debug):
        from flows.cli.prefect_server import private_server

        with private_server() as server:
            from flows.cli.run import run_pipeline
            from flows.request import RunRequest

            laid = tuple(overrides or ())
            request = RunRequest(profile, laid, store, force_from, until, verify)
            run_pipeline(request, server, verbose=verbose)


def plan(
    profile: Profile = "tiny",
    overrides: Overrides = None,
    store: StoreUri = None,
    force_from: ForceFrom = None,
    until: Until = None,
    verify: Verify = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say for every stage whether it would be reused or run, and why."""
    with clear_endings(debug):
        from flows.cli.plan import print_plan
        from flows.request import RunRequest

        laid = tuple(overrides or ())
        request = RunRequest(profile, laid, store, force_from, until, verify)
        print_plan(request, as_json)


def show(
    stage: Annotated[
        str | None,
        typer.Argument(metavar="[STAGE]", help="One stage, or study; else the whole run."),
    ] = None,
    profile: Profile = "tiny",
    store: StoreUri = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Print the latest run, or one stage's artifact and metrics (for evaluate: scores)."""
    with clear_endings(debug):
        from flows.cli.show import show_run, show_stage
        from flows.request import RunRequest

        request = RunRequest(profile, store=store)
        opened = request.open_store(request.config())
        if stage is None:
            show_run(opened, as_json)
        elif stage == "study":
            from flows.cli.study import show_study

            show_study(opened, as_json)
        else:
            show_stage(opened, stage, as_json)


def report(
    profile: Profile = "tiny",
    store: StoreUri = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    debug: Debug = False,
) -> None:
    """Print the path of the latest report."""
    with clear_endings(debug):
        from flows.cli.show import show_report
        from flows.request import RunRequest

        request = RunRequest(profile, store=store)
        show_report(request.open_store(request.config()), open_it)


def evaluate(
    profile: Profile = "tiny",
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            "--benchmark",
            metavar="NAME",
            help="Answer this one; repeatable. Default: the profile's; where it names none, "
            "the test questions of its own data.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="base|warm_start|policy", help="Repeatable."),
    ] = None,
    notool: Annotated[
        bool, typer.Option("--notool", help="Each model once more, without operations.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only so many questions, of all kinds.")
    ] = None,
    overrides: Overrides = None,
    store: StoreUri = None,
    verify: Verify = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Score trained models, or a checkpoint, on benchmarks. Trains nothing."""
    with clear_endings(debug):
        from flows.cli.prefect_server import private_server

        with private_server() as server:
            from flows.cli.evaluate import EvaluateOptions, evaluate_models, request_of

            asked = EvaluateOptions(tuple(benchmark or ()), tuple(model or ()), notool, limit)
            request = request_of(profile, tuple(overrides or ()), store, asked, verify)
            evaluate_models(request, server, verbose=verbose)
