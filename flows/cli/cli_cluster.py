"""``pixel cluster``."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.endings import FAILED, clear_endings
from flows.cli.options import AsJson, Debug, Overrides, Profile, StoreUri

cluster = typer.Typer(no_args_is_help=True, help="The Ray cluster that stages run on.")


@cluster.command("check")
def cluster_check(
    profile: Profile = "tiny",
    overrides: Overrides = None,
    store: StoreUri = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Ask every node for its versions, GPUs, variables and the store; exit 1 if it can't do."""
    with clear_endings(debug):
        from flows.cli.cluster import check_cluster
        from flows.request import RunRequest

        if not check_cluster(RunRequest(profile, tuple(overrides or ()), store), as_json):
            raise typer.Exit(FAILED)


@cluster.command("jobs")
def cluster_jobs(
    profile: Profile = "tiny",
    overrides: Overrides = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the stages' jobs on the cluster: attempt, status, age."""
    with clear_endings(debug):
        from flows.cli.cluster_jobs_command import print_jobs
        from flows.request import RunRequest

        print_jobs(RunRequest(profile, tuple(overrides or ())), as_json)


@cluster.command("stop")
def cluster_stop(
    job: Annotated[str, typer.Argument(metavar="ID", help="As pixel cluster jobs lists it.")],
    profile: Profile = "tiny",
    overrides: Overrides = None,
    debug: Debug = False,
) -> None:
    """End a stage's job on the cluster; what it saved is kept."""
    with clear_endings(debug):
        from flows.cli.cluster_jobs_command import stop_job
        from flows.request import RunRequest

        stop_job(RunRequest(profile, tuple(overrides or ())), job)
