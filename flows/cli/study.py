"""``pixel study`` and ``pixel show study``: plan, run, and show what came out."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.cli.prefect_server import Server, reporting
from flows.cli.study_progress import StudyTerminal
from flows.cli.terminal import say
from flows.consoles import plain_console
from flows.results import ARM_HEAD, arm_cells, place_page, public, read_study
from flows.study_request import StudyRequest, check_study_ready
from pixel_core.errors import DataError
from pixel_core.evaluation.study.graph import Node
from pixel_core.evaluation.study.stage import NAME, PAGE
from pixel_core.workflow.planning import Decision
from pixel_core.workflow.store import Artifact, Store

_STYLES = {"shown": "green", "not shown": "yellow", "contradicted": "red"}


def run_study(request: StudyRequest, server: Server | None, *, verbose: bool) -> None:
    """``server``: a private one that was begun before, while this is read and checked.

    Raises what stages raise, and ``KeyboardInterrupt`` after saying what is kept."""
    console = plain_console()
    # Before anything starts: bad input must cost nothing.
    matrix, _, store, decided = request.plan()
    check_study_ready(decided, store, lambda told: console.print(told, soft_wrap=True))
    console.print(
        f"profile {matrix.config.name}, store {store.uri}\n"
        f"{_summary(len(matrix.cells), decided)}",
        soft_wrap=True,
    )
    _warn(decided)
    terminal = StudyTerminal(console)
    try:
        keys = _follow(request, server, terminal, verbose=verbose)
    except KeyboardInterrupt:
        again = shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
        say(
            "stopped",
            "yellow",
            f"kept in {store.uri}: {terminal.done} of {terminal.cells} cells, finished stages, "
            f"and what the others have saved so far. The same command goes on from there: "
            f"{again}",
        )
        raise
    artifact = store.load(NAME, keys[NAME])
    if artifact is not None:
        _print(console, artifact, store)


def print_study_plan(request: StudyRequest, as_json: bool) -> None:
    matrix, _, store, decided = request.plan()
    if as_json:
        rows = [
            {
                "stage": node.stage.name,
                "label": node.label,
                "cells": [str(cell) for cell in node.cells],
                "action": decision.action,
                "reason": decision.reason,
                "warning": decision.warning,
                "key": decision.key,
            }
            for node, decision in decided
        ]
        print(json.dumps(rows, indent=1))
        return
    console = plain_console()
    console.print(f"profile {matrix.config.name}, store {store.uri}", soft_wrap=True)
    width = max(len(node.label) for node, _ in decided) + 2
    for node, decision in decided:
        style = "blue" if decision.action == "reuse" else "green"
        line = Text.assemble(f"{node.label:<{width}}", (f"{decision.action:<7}", style))
        console.print(line.append(decision.reason), soft_wrap=True)
    console.print(_summary(len(matrix.cells), decided))
    _warn(decided)


def show_study(store: Store, as_json: bool) -> None:
    """The latest study; a newer one that has not ended is mentioned on stderr."""
    artifact = store.latest(NAME)
    latest = store.studies.latest()
    if latest is not None and latest.status != "finished":
        status = "killed" if latest.was_killed else latest.status
        ended = sum(stage.key is not None for stage in latest.stages.values())
        say(
            "note",
            "yellow",
            f"the study started {latest.started} (profile {latest.profile}) is {status}, "
            f"{ended} stages ended",
        )
    if artifact is None:
        raise DataError(
            f"no study was ever finished in {store.uri}; pixel study learning-trap makes one"
        )
    if as_json:
        print(json.dumps(public(read_study(artifact)), indent=1))
        return
    _print(plain_console(), artifact, store)


def _follow(
    request: StudyRequest, server: Server | None, terminal: StudyTerminal, *, verbose: bool
) -> dict[str, str]:
    with reporting("flows.study", server, verbose=verbose) as recipe:
        token = recipe.watcher.set(terminal)
        try:
            return recipe.study(
                profile=request.profile,
                overrides=list(request.overrides),
                store=request.store,
                only=list(request.only),
                verify=request.verify,
                quick=request.quick,
            )
        finally:
            terminal.close()
            recipe.watcher.reset(token)


def _warn(decided: list[tuple[Node, Decision]]) -> None:
    """One line where ``pixel plan`` has one a stage."""
    old = [node.label for node, decision in decided if decision.warning]
    if old:
        say(
            "warning",
            "yellow",
            f"{len(old)} of the stages to reuse were made by code that has changed since "
            f"({old[0]}{', ...' if len(old) > 1 else ''}); --plan --json says which code. A "
            "store of its own (--store) makes everything anew",
        )


def _summary(cells: int, decided: list[tuple[Node, Decision]]) -> str:
    counts = Counter(decision.action for _, decision in decided)
    return (
        f"{cells} cells, {len(decided)} distinct stages: {counts['reuse']} to reuse, "
        f"{counts['run']} to run"
    )


def _print(console: Console, artifact: Artifact, store: Store) -> None:
    values = read_study(artifact)
    console.print()
    for sentence in values["sentences"].get("lead", []):
        console.print(Text(sentence), soft_wrap=True)
    table = Table(*ARM_HEAD, box=None, header_style="bold", pad_edge=False)
    for cells in arm_cells(values):
        table.add_row(*cells)
    console.print()
    console.print(table)
    for claim in values["claims"]:
        console.print()
        verdict = claim["verdict"]
        head = Text.assemble((verdict, _STYLES[verdict]), f": {claim['claim']}")
        console.print(head, soft_wrap=True)
        console.print(Text(f"  {claim['evidence']}"), soft_wrap=True)
    console.print()
    for sentence in values["sentences"]["costs"]:
        console.print(Text(sentence), soft_wrap=True)
    page = place_page(artifact, store, PAGE, values["provenance"]["command"])
    console.print(Text(f"\npage: {page}"), soft_wrap=True)
