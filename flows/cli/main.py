"""The command line ``pixel``: its commands, in the order its help lists them.

Nothing heavy is imported in the files that declare them (``cli_*.py``); each command imports
what it needs once its input is read.
"""

from __future__ import annotations

import os
import sys

import typer

from flows.cli.asking import ask, demo, serve
from flows.cli.groups import cluster, datasets, developing, export, import_, studies, ui
from flows.cli.pipeline import evaluate, plan, report, run, show

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train a vision-language model to zoom into pictures while it thinks: seeds, "
    "synthesis, SFT, curiosity RL, evaluation and a report, as one resumable pipeline.",
)

for command in (run, plan, show, report, evaluate, ask, demo, serve, export):
    app.command()(command)
app.command("import")(import_)
app.command()(ui)
for name, group in (
    ("data", datasets),
    ("study", studies),
    ("cluster", cluster),
    ("dev", developing),
):
    app.add_typer(group, name=name)


def main() -> None:
    if sys.platform != "linux":
        sys.exit(
            f"pixel needs Linux, and this is {sys.platform}: on macOS use a Linux container or "
            "virtual machine, on Windows WSL 2"
        )
    # Training uses one process a core; threads below would fight over the same cores.
    # Both are read when the libraries load, so they are set before anything heavy is.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    app()


if __name__ == "__main__":
    main()
