"""``pixel study``."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.endings import clear_endings
from flows.cli.options import Debug, Overrides, Profile, StoreUri, Verbose, Verify

studies = typer.Typer(no_args_is_help=True, help="Compare arms over seeds.")


@studies.command("learning-trap")
def learning_trap(
    profile: Profile = "learning_trap",
    overrides: Overrides = None,
    store: StoreUri = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ARM", help="Run only this arm; repeatable."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Its small form, about 15 minutes on two cores: trap and rescue on one base "
            "model. Cells are shared with the whole study.",
        ),
    ] = False,
    plan_only: Annotated[
        bool, typer.Option("--plan", help="Say what would be reused or run, and why.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --plan: print JSON.")] = False,
    verify: Verify = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Show the learning trap: RL with and without curiosity, over seeds, with verdicts."""
    with clear_endings(debug):
        asked = (profile, tuple(overrides or ()), store, tuple(only or ()), verify, quick)
        if plan_only:
            from flows.cli.study import print_study_plan
            from flows.study_request import StudyRequest

            print_study_plan(StudyRequest(*asked), as_json)
            return
        if as_json:
            from pixel_core.errors import ConfigError

            raise ConfigError("--json goes with --plan; results: pixel show study --json")
        from flows.cli.prefect_server import private_server

        with private_server() as server:
            from flows.cli.study import run_study
            from flows.study_request import StudyRequest

            run_study(StudyRequest(*asked), server, verbose=verbose)
