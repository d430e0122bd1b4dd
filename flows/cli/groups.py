"""Servers for a person at work: ``pixel dev`` and ``pixel ui``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson, Debug, Overrides, Profile, StoreUri, Verbose, Verify
from flows.cli.terminal import FAILED, clear_endings

# ``pixel cluster``.


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
        from flows.cli.cluster import print_jobs
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
        from flows.cli.cluster import stop_job
        from flows.request import RunRequest

        stop_job(RunRequest(profile, tuple(overrides or ())), job)


# ``pixel data``, and ``pixel export`` and ``import``.


#: ``pixel data``.
datasets = typer.Typer(no_args_is_help=True, help="The benchmarks' questions.")


@datasets.command("list")
def data_list(as_json: AsJson = False, debug: Debug = False) -> None:
    """List the benchmarks: how many questions are published, and where."""
    with clear_endings(debug):
        from flows.cli.data import list_benchmarks

        list_benchmarks(as_json)


@datasets.command("prepare")
def data_prepare(
    name: Annotated[str, typer.Argument(help="As pixel data list names it.")],
    folder: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="A copy of the published files."),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            "--layout",
            metavar="own|original",
            help="As the benchmark's authors publish it, or as Pixel Reasoner's.",
        ),
    ] = None,
    profile: Profile = "tiny",
    overrides: Overrides = None,
    store: StoreUri = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Fetch a benchmark, or take a copy; check it against what was published."""
    with clear_endings(debug):
        from flows.cli.data import prepare_benchmark
        from flows.request import RunRequest

        request = RunRequest(profile, tuple(overrides or ()), store)
        prepare_benchmark(request, name, folder, layout, as_json)


def export(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="A run's id; else the latest.")
    ] = "latest",
    format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="original|chat",
            help="The original's records, or the chat records of trainers.",
        ),
    ] = "original",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="A folder of its own.")
    ] = None,
    profile: Profile = "tiny",
    store: StoreUri = None,
    debug: Debug = False,
) -> None:
    """Write a run's trajectories, with their pictures, for other programs."""
    with clear_endings(debug):
        from flows.cli.exchange import export_run
        from flows.request import RunRequest

        request = RunRequest(profile, store=store)
        opened = request.open_store(request.config())
        export_run(opened, run, format, to or Path(f"trajectories-{format}"))


def import_(
    file: Annotated[Path, typer.Argument(help="Records: .jsonl, .json or .parquet.")],
    format: Annotated[
        str, typer.Option("--format", metavar="original|chat", help="How they are written.")
    ] = "original",
    to: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="A folder of its own.")
    ] = Path("imported"),
    media: Annotated[
        Path | None,
        typer.Option(
            "--media",
            metavar="FOLDER",
            help="Where picture paths begin; else beside FILE.",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME|FILE",
            help="How calls are to be written. Default: as in the export, or normalised boxes.",
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Read somebody's trajectories, or ours again, to train on them."""
    with clear_endings(debug):
        from flows.cli.exchange import import_file

        import_file(file, format, to, media, profile)


# ``pixel study``.


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


developing = typer.Typer(no_args_is_help=True, help="Stand-ins for services.")


@developing.command("annotator")
def annotator(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8400,
    wrong_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Share of wrong answers; the same every run.")
    ] = 0.0,
    latency: Annotated[float, typer.Option(min=0, help="Seconds a live answer takes.")] = 0.0,
    batch_seconds: Annotated[
        float, typer.Option(min=0, help="Seconds a batch takes, at least.")
    ] = 0.0,
    script: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rules of misbehaviour (TOML, JSON).")
    ] = None,
    debug: Debug = False,
) -> None:
    """Serve an endpoint that annotates drawn scenes, without a model, a key or a price."""
    with clear_endings(debug):
        from flows.cli.services import serve_annotator

        serve_annotator(port, wrong_rate, latency, batch_seconds, script)


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 4200,
    debug: Debug = False,
) -> None:
    """Serve Prefect's page on this machine until Ctrl-C; shows earlier runs too."""
    with clear_endings(debug):
        from flows.cli.services import serve_page

        serve_page(port)
