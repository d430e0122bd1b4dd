"""``pixel data``: the benchmarks there are, and one of them made ready for an evaluation."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.cli.terminal import Terminal, say
from flows.consoles import plain_console
from flows.request import RunRequest
from pixel_core.config import BenchmarkName, PipelineConfig
from pixel_core.errors import ConfigError
from pixel_core.evaluation.benchmarks.facts import UNCOUNTED, BenchmarkFacts, read_facts
from pixel_core.evaluation.benchmarks.registry import BENCHMARKS, Benchmark, Layout, LayoutName
from pixel_core.workflow.planning import check_ready, plan, stages_until
from pixel_core.workflow.runner import StageOutcome, run_stage
from pixel_core.workflow.store import Artifact, Store
from pixel_core.workflow.table import questions_stage, stages_of

_LAYOUTS: tuple[LayoutName, ...] = get_args(LayoutName)


def list_benchmarks(as_json: bool) -> None:
    """The registry: what is asked, how many questions are published, where they are."""
    if as_json:
        print(json.dumps([_values(row) for row in BENCHMARKS.values()], indent=1))
        return
    console = plain_console()
    for row in BENCHMARKS.values():
        mean = ", mean of kinds" if row.mean_of_kinds else ""
        head = f"{row.name:<17}{row.metric}{mean}, by {row.grader}; {row.source}"
        console.print(Text(head, "bold"), soft_wrap=True)
        console.print(Text(f"  {row.measures}"), soft_wrap=True)
        for name, layout in row.layouts.items():
            console.print(Text(f"  {name:<10}{_published(layout)}"), soft_wrap=True)


def _published(layout: Layout) -> str:
    commit = f" at {layout.revision[:7]}" if layout.revision else ", pin a commit yourself"
    where = f"{layout.dataset}{commit}" if layout.dataset else f"a folder with {layout.copy}"
    count = f"{layout.total:,} questions, " if layout.total else ""
    return f"{count}{where}"


def prepare_benchmark(
    request: RunRequest, name: str, folder: Path | None, layout: str | None, as_json: bool
) -> None:
    """Make the stage ``benchmark_<name>``, and those it needs, and say what came out.

    Raises what the stage raises, and ``KeyboardInterrupt`` after saying what is kept.
    """
    benchmark = _known(name)
    settings = _settings(benchmark, folder, layout)
    named = f"benchmarks.names={benchmark}"
    config = replace(request, overrides=(*request.overrides, named, *settings)).config()
    store = request.open_store(config)
    console = plain_console(stderr=as_json)
    made = _made(config, store, questions_stage(benchmark), console)
    facts = read_facts(made.artifact.local())
    if as_json:
        print(facts.model_dump_json(indent=1))
        return
    console.print(f"{made.artifact.stage}: {made.status}, {made.reason}", soft_wrap=True)
    _show(console, facts, made.artifact)
    words = ["pixel", "evaluate", "--benchmark", benchmark, "--profile", request.profile]
    for setting in (*request.overrides, *settings):
        words += ["--set", setting]
    console.print(Text(f"to have it answered: {shlex.join(words)}"), soft_wrap=True)


def _known(name: str) -> BenchmarkName:
    for known in BENCHMARKS:
        if name == known:
            return known
    raise ConfigError(f"there is no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")


def _settings(name: BenchmarkName, folder: Path | None, layout: str | None) -> list[str]:
    """What the options mean, as ``--set`` writes it."""
    if layout is not None and layout not in _LAYOUTS:
        raise ConfigError(f"there is no layout {layout!r}; there are {', '.join(_LAYOUTS)}")
    if not BENCHMARKS[name].layouts and (folder is not None or layout is not None):
        raise ConfigError(
            f"{name} is made of the run's own questions, not of a folder's: leave --from and "
            "--layout out"
        )
    settings = []
    if folder is not None:
        # Quoted: a folder may be called 1e5, true or nan.
        local = json.dumps(str(folder), ensure_ascii=False)
        settings.append(f"benchmarks.{name}.local={local}")
    if layout is not None:
        settings.append(f"benchmarks.{name}.layout={layout}")
    return settings


def _made(config: PipelineConfig, store: Store, until: str, console: Console) -> StageOutcome:
    """By the ordinary runner, with what it needs, so that an evaluation reuses it."""
    terminal = Terminal(console)
    stages = stages_of(config)
    wanted = stages_until(until, stages)
    # Before anything starts: bad input must cost nothing. A copy is looked through here.
    console.print(f"checking {until}", soft_wrap=True)
    check_ready(config, store, plan(config, store, until=until, stages=stages), stages)
    inputs: dict[str, Artifact] = {}
    outcome = None
    for stage in wanted:
        try:
            with terminal.watch(stage.name) as progress:
                outcome = run_stage(
                    stage,
                    config,
                    {need: inputs[need] for need in stage.needs},
                    store,
                    progress=progress,
                    say=lambda told: console.print(Text(told), soft_wrap=True),
                )
        except KeyboardInterrupt:
            kept = "what was fetched and looked at is kept; the same command goes on from there"
            say("stopped", "yellow", kept)
            raise
        inputs[stage.name] = outcome.artifact
    assert outcome is not None  # ``wanted`` ends with ``until``
    return outcome


def _show(console: Console, facts: BenchmarkFacts, artifact: Artifact) -> None:
    place = f"{facts.dataset} at {facts.revision}" if facts.dataset else "a local copy"
    console.print(Text(f"{facts.title}: {place if facts.layout else facts.source}"))
    table = Table(box=None, pad_edge=False)
    table.add_column("kind")
    for head in ("published", "found", "used"):
        table.add_column(head, justify="right")
    for kind, count in facts.kinds.items():
        published = "" if count.published is None else f"{count.published:,}"
        table.add_row(kind or "(none)", published, f"{count.found:,}", f"{count.used:,}")
    if len(facts.kinds) != 1:
        published = "" if facts.published is None else f"{facts.published:,}"
        table.add_row("all", published, f"{facts.found:,}", f"{facts.used:,}")
    console.print(table)
    if facts.keys is not None:
        console.print(Text(f"right option published: {_histogram(facts.keys.published)}"))
        if facts.shuffle_seed is not None:
            console.print(Text(f"right option as asked:  {_histogram(facts.keys.put)}"))
    if facts.complete is None:
        console.print(Text(f"note: {UNCOUNTED}", "yellow"), soft_wrap=True)
    for line in facts.missing:
        console.print(Text(f"not as published: {line}", "yellow"), soft_wrap=True)
    console.print(Text(f"{facts.pictures:,} pictures, in {artifact.uri}"), soft_wrap=True)


def _histogram(places: dict[str, int]) -> str:
    total = max(1, sum(places.values()))
    return ", ".join(f"{key} {100 * count / total:.0f} %" for key, count in places.items())


def _values(row: Benchmark) -> dict[str, Any]:
    layouts = {
        name: {
            "dataset": layout.dataset,
            "revision": layout.revision,
            "questions": layout.total,
            "kinds": dict(layout.kinds),
            "licence": layout.licence,
            "copy": layout.copy,
        }
        for name, layout in row.layouts.items()
    }
    return {
        "name": row.name,
        "title": row.title,
        "measures": row.measures,
        "source": row.source,
        "grader": row.grader,
        "metric": row.metric,
        "mean_of_kinds": row.mean_of_kinds,
        "layouts": layouts,
    }
