"""``pixel run``: check, plan, start Prefect, follow the flow, show what came out."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from flows.cli.plan import summary
from flows.cli.prefect_server import Server, reporting
from flows.cli.show import score_table
from flows.cli.terminal import Terminal, say
from flows.consoles import plain_console
from flows.measured_times import measured_times
from flows.request import Plan, RunRequest
from flows.results import place_report, print_benchmarks, score_rows
from pixel_core.training.stages import begin_workers
from pixel_core.workflow.planning import check_ready
from pixel_core.workflow.store import Store
from pixel_core.workflow.table import stages_of
from tasks.pace import duration


def run_pipeline(request: RunRequest, server: Server | None, *, verbose: bool) -> None:
    """``server``: a private one that was begun before, while this is read and checked.

    Raises what the stages raise, and ``KeyboardInterrupt`` after saying what is kept.
    """
    console = plain_console()
    # Before anything is made: bad input must cost nothing.
    plan = config, store, decisions = request.plan()
    check_ready(
        config,
        store,
        decisions,
        stages_of(config),
        say=lambda told: console.print(told, soft_wrap=True),
    )
    console.print(
        f"profile {config.name}, store {store.uri}\n{summary(decisions)}", soft_wrap=True
    )
    to_run = [decision.stage for decision in decisions if decision.action == "run"]
    times = measured_times(config, to_run) if to_run else None
    if times is not None:
        console.print(
            f"the stages to run took {duration(times.total)} on {times.machine}",
            soft_wrap=True,
        )
    begin_workers((stage, config) for stage in stages_of(config) if stage.name in to_run)
    terminal = Terminal(console, times)
    try:
        keys = _follow(request, plan, server, terminal, verbose=verbose)
    except KeyboardInterrupt:
        say("stopped", "yellow", kept(terminal, store))
        raise
    _show_results(console, store, keys)
    print_benchmarks(console, store, config, keys)


def _follow(
    request: RunRequest, plan: Plan, server: Server | None, terminal: Terminal, *, verbose: bool
) -> dict[str, str]:
    with reporting("flows.pipeline", server, verbose=verbose) as recipe:
        from flows.run import followed

        with followed(terminal, request, plan):
            return recipe.pipeline(
                profile=request.profile,
                overrides=list(request.overrides),
                store=request.store,
                force_from=request.force_from,
                until=request.until,
                verify=request.verify,
            )


def kept(terminal: Terminal, store: Store) -> str:
    """What an interrupted command leaves, and how to go on."""
    finished = ", ".join(terminal.finished) or "no stage was finished yet"
    told = f"kept in {store.uri}: {finished}"
    if terminal.current is not None:
        told += f"; and what {terminal.current} has saved so far (its last checkpoint)"
    again = shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
    return f"{told}. The same command goes on from there: {again}"


def _show_results(console: Console, store: Store, keys: Mapping[str, str]) -> None:
    made = {
        name: store.load(name, keys[name]) for name in ("evaluate", "report") if name in keys
    }
    if evaluated := made.get("evaluate"):
        console.print()
        console.print(score_table(score_rows(evaluated, store, keys.get("sft"))))
        console.print(
            "The same seeds give these figures again on this machine; another CPU rounds "
            "differently and ends some points apart.",
            style="dim",
            soft_wrap=True,
        )
    if page := made.get("report"):
        console.print()
        console.print(Text(f"report: {place_report(page, store)}"), soft_wrap=True)
