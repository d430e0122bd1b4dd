"""Servers for a person at work: ``pixel dev`` and ``pixel ui``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.endings import clear_endings
from flows.cli.options import Debug

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
        from flows.cli.ui_command import serve_page

        serve_page(port)
