"""``pixel show`` and ``pixel report``: what the latest run made."""

from __future__ import annotations

import json
import re
import webbrowser
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from rich.table import Table
from rich.text import Text

from flows.cli.terminal import say
from flows.consoles import plain_console
from flows.results import (
    place_benchmarks,
    place_report,
    print_benchmark,
    read_benchmark,
    read_scores,
    score_rows,
    warm_start_selected,
)
from pixel_core.config import BenchmarkName
from pixel_core.errors import ConfigError, DataError
from pixel_core.workflow.store import Artifact, RunRecord, Store
from pixel_core.workflow.table import BY_NAME, PAGE
from tasks.pace import duration
from tasks.page import SCORE_HEAD, flat, score_cells

_NAMES = "|".join(get_args(BenchmarkName))
#: The names of stages that benchmarks add; a row's part is checked by the configuration.
_OF_BENCHMARK = re.compile(
    rf"(?:benchmark|scores)_(?:{_NAMES})|answers_(?:{_NAMES})_[a-z0-9_]+"
)


def show_run(store: Store, as_json: bool) -> None:
    """The latest run: how it stands, and each stage's artifact and metrics."""
    run = _latest_run(store)
    if as_json:
        values = run.model_dump(mode="json", exclude={"process"})
        print(json.dumps({**values, "status": _status(run)}, indent=1))
        return
    console = plain_console()
    console.print(f"run {run.id}: profile {run.profile}, {_status(run)}, started {run.started}")
    width = max([20, *(len(name) + 2 for name in run.stages)])
    for stage in run.stages.values():
        seconds = f"{duration(stage.seconds):>8}"
        line = f"{stage.stage:<{width}}{stage.status:<12}{seconds}  {stage.reason}"
        console.print(Text(line), soft_wrap=True)


def show_stage(store: Store, stage: str, as_json: bool) -> None:
    """One stage's artifact; where it holds scores, those."""
    artifact = latest_artifact(store, stage)
    console = plain_console()
    if stage.startswith("scores_"):
        if as_json:
            print(read_benchmark(artifact).model_dump_json(indent=1))
        else:
            print_benchmark(console, artifact, store)
        return
    if stage == "evaluate":
        sft = _key_in_latest_run(store, "sft")
        if as_json:
            selected = {"warm_start_selected": warm_start_selected(artifact, store, sft)}
            print(json.dumps(read_scores(artifact) | selected, indent=1))
        else:
            console.print(score_table(score_rows(artifact, store, sft)))
        return
    if as_json:
        print(json.dumps(_values(artifact), indent=1))
        return
    console.print(Text(f"{stage}, made {artifact.manifest.created}"))
    console.print(Text(f"key    {artifact.key}\nplace  {artifact.uri}"), soft_wrap=True)
    for name, value in flat(artifact.metrics):
        console.print(Text(f"  {name:<32} {value}"), soft_wrap=True)
    for name, value in artifact.manifest.costs.items():
        console.print(Text(f"  cost.{name:<27} {value:g}"), soft_wrap=True)
    if stage == PAGE:
        console.print(Text(f"page   {place_benchmarks(artifact, store)}"), soft_wrap=True)


def show_report(store: Store, open_it: bool) -> None:
    page = place_report(latest_artifact(store, "report"), store)
    print(page)
    if open_it and not webbrowser.open(page.as_uri()):
        say("note", "yellow", "no browser could be opened here; open the file by hand")


def latest_artifact(store: Store, stage: str) -> Artifact:
    """What the latest run made or reused; else, saying so, what an earlier one left.

    Raises ``ConfigError`` for no stage, ``DataError`` when nothing was ever made.
    """
    run = store.latest_run()
    _refuse_unknown(stage, run)
    known = run.stages.get(stage) if run else None
    if known is not None and known.key is not None:
        artifact = store.load(stage, known.key)
        if artifact is None:
            raise DataError(
                f"the artifact of {stage} ({known.key[:12]}) is gone from {store.uri} or "
                "damaged; pixel run makes it again"
            )
        return artifact
    artifact = store.latest(stage)
    if artifact is None:
        raise DataError(f"{stage} was never made in {store.uri}; pixel run makes it")
    say("note", "yellow", f"the latest run made no {stage}; this is an earlier run's")
    return artifact


def _key_in_latest_run(store: Store, stage: str) -> str | None:
    run = store.latest_run()
    known = run.stages.get(stage) if run else None
    return known.key if known else None


def _refuse_unknown(stage: str, run: RunRecord | None) -> None:
    """Which stages there are beside the table follows from a profile's benchmarks; an earlier
    run may have had others."""
    if stage in BY_NAME or stage == PAGE or _OF_BENCHMARK.fullmatch(stage):
        return
    added = [name for name in (run.stages if run else ()) if name not in BY_NAME]
    names = ", ".join([*BY_NAME, *added])
    raise ConfigError(f"there is no stage {stage!r}; the stages are {names}")


def score_table(scores: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(*SCORE_HEAD, box=None, header_style="bold", pad_edge=False)
    for score in scores:
        table.add_row(*score_cells(score))
    return table


def _latest_run(store: Store) -> RunRecord:
    run = store.latest_run()
    if run is None:
        raise DataError(f"there was no run in {store.uri} yet; start one with pixel run")
    return run


def _status(run: RunRecord) -> str:
    return "killed" if run.was_killed else run.status


def _values(artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    return {
        "stage": artifact.stage,
        "key": artifact.key,
        "digest": artifact.digest,
        "uri": artifact.uri,
        "created": manifest.created,
        "files": [entry.model_dump() for entry in manifest.files],
        "timings": manifest.timings,
        "costs": manifest.costs,
        "metrics": artifact.metrics,
    }
