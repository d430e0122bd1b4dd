"""``pixel show`` and ``pixel report``: what the latest run made."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.endings import say
from flows.results import place_report, read_scores
from pixel_core.errors import ConfigError, DataError
from pixel_core.pipeline import BY_NAME
from pixel_core.store import Artifact, RunRecord, Store
from tasks.markdown import SCORE_HEAD, flat, score_cells
from tasks.pace import duration


def show_run(store: Store, as_json: bool) -> None:
    """The latest run: how it stands, and each stage's artifact and metrics."""
    run = _latest_run(store)
    if as_json:
        values = run.model_dump(mode="json", exclude={"process"})
        print(json.dumps({**values, "status": _status(run)}, indent=1))
        return
    console = Console(highlight=False)
    console.print(f"run {run.id}: profile {run.profile}, {_status(run)}, started {run.started}")
    for stage in run.stages.values():
        line = (
            f"{stage.stage:<20}{stage.status:<12}{duration(stage.seconds):>8}  {stage.reason}"
        )
        console.print(Text(line), soft_wrap=True)


def show_stage(store: Store, stage: str, as_json: bool) -> None:
    """One stage's artifact; for ``evaluate``, the content of its ``scores.json``."""
    artifact = latest_artifact(store, stage)
    console = Console(highlight=False)
    if stage == "evaluate":
        results = read_scores(artifact)
        if as_json:
            print(json.dumps(results, indent=1))
        else:
            console.print(score_table(results["scores"]))
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


def show_report(store: Store, open_it: bool) -> None:
    page = place_report(latest_artifact(store, "report"), store)
    print(page)
    if open_it and not webbrowser.open(page.as_uri()):
        say("note", "yellow", "no browser could be opened here; open the file by hand")


def latest_artifact(store: Store, stage: str) -> Artifact:
    """What the latest run made or reused; else, saying so, what an earlier one left.

    Raises ``ConfigError`` for no stage, ``DataError`` when nothing was ever made.
    """
    if stage not in BY_NAME:
        raise ConfigError(f"there is no stage {stage!r}; the stages are {', '.join(BY_NAME)}")
    run = store.latest_run()
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
