"""``pixel run``: check, plan, start Prefect, follow the flow, show what came out."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from flows.cli.prefect_server import Server, reporting
from flows.cli.show import score_table
from flows.cli.terminal import Terminal, say
from flows.consoles import plain_console
from flows.measured_times import measured_times
from flows.results import place_report, print_benchmarks, score_rows
from flows.run import Plan, RunRequest
from pixel_core.training.stages import begin_workers
from pixel_core.workflow.planning import Decision, check_ready
from pixel_core.workflow.store import Store
from pixel_core.workflow.table import stages_of
from tasks.pace import duration

# ``pixel plan``: every stage, reuse or run, and why.


def print_plan(request: RunRequest, as_json: bool) -> None:
    config, store, decisions = request.plan()
    if as_json:
        print(json.dumps([_values(decision) for decision in decisions], indent=1))
        return
    console = plain_console()
    console.print(f"profile {config.name}, store {store.uri}", soft_wrap=True)
    width = max([20, *(len(decision.stage) + 2 for decision in decisions)])
    for decision in decisions:
        console.print(_line(decision, width), soft_wrap=True)
        if decision.warning:
            console.print(Text(f"  warning: {decision.warning}", "yellow"), soft_wrap=True)
    console.print(summary(decisions))


def summary(decisions: Sequence[Decision]) -> str:
    """``12 stages: 9 to reuse, 3 to run``."""
    counts = Counter(decision.action for decision in decisions)
    return f"{len(decisions)} stages: {counts['reuse']} to reuse, {counts['run']} to run"


def _line(decision: Decision, width: int) -> Text:
    style = "blue" if decision.action == "reuse" else "green"
    cost = f" ({decision.cost.words})" if decision.cost else ""
    return Text.assemble(
        f"{decision.stage:<{width}}", (f"{decision.action:<7}", style), decision.reason, cost
    )


def _values(decision: Decision) -> dict[str, Any]:
    cost = decision.cost
    return {
        "stage": decision.stage,
        "action": decision.action,
        "reason": decision.reason,
        "warning": decision.warning,
        "key": decision.key,
        "cost": None if cost is None else {"usd": cost.usd, "words": cost.words},
    }


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
