"""``pixel data``, and ``pixel export`` and ``import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.endings import clear_endings
from flows.cli.options import AsJson, Debug, Overrides, Profile, StoreUri

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
