"""What a run left to look at: scores and the report."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from flows.consoles import plain_console
from pixel_core.config import PipelineConfig
from pixel_core.errors import DataError, StorageError
from pixel_core.evaluation.page.checks import counted, notices
from pixel_core.evaluation.page.tables import PageTable, tables_of
from pixel_core.evaluation.results import BenchmarkResult
from pixel_core.evaluation.study.stage import FILE
from pixel_core.workflow.store import Artifact, Store
from pixel_core.workflow.table import PAGE, scores_stage

REPORT = "report.html"


def read_scores(artifact: Artifact) -> dict[str, Any]:
    """``{"scores": [...], "comparisons": [...]}`` of an evaluate artifact."""
    return json.loads((artifact.local() / "scores.json").read_text(encoding="utf-8"))


def score_rows(
    artifact: Artifact, store: Store, sft: str | None = None
) -> list[dict[str, Any]]:
    """The rows of a table of scores; a warm start that missed its rule is marked. ``sft``: see
    ``warm_start_selected``."""
    rows: list[dict[str, Any]] = read_scores(artifact)["scores"]
    if warm_start_selected(artifact, store, sft) is not False:
        return rows
    return [
        row | {"model": "warm_start (rule missed)"} if row["model"] == "warm_start" else row
        for row in rows
    ]


def warm_start_selected(
    artifact: Artifact, store: Store, sft: str | None = None
) -> bool | None:
    """Whether the rule that was to pick the warm start of an evaluate artifact held; None
    where there was no rule, or the store no longer says.

    ``sft``: the key of the warm start in the run that is shown. Without it the one that was
    answered with is asked: another rule may have come to the same weights since.
    """
    own = store.load("sft", sft) if sft else None
    if own is not None:
        return own.metrics.get("selected")
    found = artifact
    for stage in ("answers_warm_start", "sft"):
        needed = found.manifest.inputs.get(stage)
        loaded = store.load(stage, needed.key) if needed else None
        if loaded is None:
            return None
        found = loaded
    return found.metrics.get("selected")


def place_report(artifact: Artifact, store: Store) -> Path:
    """See ``place_page``."""
    return place_page(artifact, store, REPORT, "pixel run --from report")


def place_page(artifact: Artifact, store: Store, name: str, remedy: str) -> Path:
    """The page's path; a local store gets a copy at its top, where it is easy to find.

    ``DataError``, with the ``remedy`` (a command), when the artifact has no page.
    """
    page = artifact.local() / name
    if not page.is_file():
        raise DataError(
            f"the {artifact.stage} artifact {artifact.uri} holds no {name}; make it again with "
            f"{remedy}"
        )
    top = store.storage.local_path(name)
    if top is None:
        return page
    content = page.read_bytes()
    if top.is_file() and top.read_bytes() == content:
        return top
    partial = top.with_name(f"{name}.{secrets.token_hex(4)}.part")
    try:
        partial.write_bytes(content)
        os.replace(partial, top)
    except OSError as error:
        raise StorageError(f"cannot write {top}: {error}; check the store's folder") from error
    return top


# What a run found on benchmarks: its results, read back, and printed as tables.


#: What the page's artifact holds.
PAGE_FILE = "benchmarks.html"
#: Characters that no table needs more than.
_WIDE = 160


def read_benchmark(artifact: Artifact) -> BenchmarkResult:
    """The result that a scores artifact holds; ``DataError`` where it is of another version."""
    path = artifact.local() / "scores.json"
    try:
        return BenchmarkResult.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(
            f"{artifact.uri}: its scores.json is not what this version writes ({error}); score "
            f"again: pixel run --from {artifact.stage} --until {artifact.stage}"
        ) from error


def benchmark_tables(
    artifact: Artifact, store: Store
) -> tuple[BenchmarkResult, list[PageTable]]:
    """The result of a scores artifact, and its tables as text."""
    result = read_benchmark(artifact)
    confidence = artifact.manifest.parts["config"]["benchmarks.scoring"]["confidence"]
    return result, tables_of(result, confidence, _seconds(artifact, result, store))


def print_benchmark(console: Console, artifact: Artifact, store: Store) -> None:
    result, tables = benchmark_tables(artifact, store)
    # Lines longer than a narrow terminal, rather than broken numbers.
    wide = plain_console(file=console.file, width=max(console.width, _WIDE))
    console.print()
    console.print(Text(f"{result.title} ({result.metric}, grader {result.grader})", "bold"))
    for notice in notices(result):
        console.print(Text(f"note: {notice}", "yellow"), soft_wrap=True)
    if told := counted(result):
        console.print(Text(told), soft_wrap=True)
    for table in tables:
        console.print()
        console.print(Text(table.title))
        wide.print(_printed(table))


def print_benchmarks(
    console: Console, store: Store, config: PipelineConfig, keys: Mapping[str, str]
) -> None:
    """The tables of every benchmark that a run scored, and where its page is."""
    for name in config.benchmarks.names:
        key = keys.get(scores_stage(name))
        scores = store.load(scores_stage(name), key) if key else None
        if scores is not None:
            print_benchmark(console, scores, store)
    page = store.load(PAGE, keys[PAGE]) if PAGE in keys else None
    if page is not None:
        console.print()
        console.print(Text(f"benchmarks: {place_benchmarks(page, store)}"), soft_wrap=True)


def place_benchmarks(artifact: Artifact, store: Store) -> Path:
    """See ``results.place_page``."""
    return place_page(artifact, store, PAGE_FILE, f"pixel run --from {PAGE} --until {PAGE}")


def _seconds(scores: Artifact, result: BenchmarkResult, store: Store) -> dict[str, float]:
    """By row, how long its answers took to make, where the store still knows it: of a resumed
    computation only the last part."""
    found: dict[str, float] = {}
    for row in result.rows:
        stage = f"answers_{result.benchmark}_{row.row}"
        answers = scores.manifest.inputs.get(stage)
        made = store.load(stage, answers.key) if answers is not None else None
        if made is not None and "run_seconds" in made.manifest.timings:
            found[row.row] = made.manifest.timings["run_seconds"]
    return found


def _printed(table: PageTable) -> RichTable:
    printed = RichTable(box=None, header_style="bold", pad_edge=False)
    for column in table.columns:
        printed.add_column(column.title, justify="right" if column.number else "left")
    for row in table.rows:
        printed.add_row(*(Text(cell) for cell in row))
    return printed


# What a study left to look at: its runs, its claims and its page.


#: Of the file; a run has its own too, which differ where cells were computed apart.
PLACE_FIELDS = ("machine", "instruction_set", "instruction_limits")
#: The fields of a run in ``pixel show study --json``.
RUN_FIELDS = (
    "arm",
    "base_model_seed",
    "warm_start_seed",
    "rl_seed",
    "warm_start_selected",
    *PLACE_FIELDS,
    "rapr",
    "accuracy_sampled",
    "accuracy_greedy",
    "digits_sampled",
    "by",
)
CLAIM_FIELDS = ("claim", "verdict", "evidence")


def read_study(artifact: Artifact) -> dict[str, Any]:
    """The content of ``study.json``."""
    return json.loads((artifact.local() / FILE).read_text(encoding="utf-8"))


def public(values: dict[str, Any]) -> dict[str, Any]:
    """Where it was computed, ``runs`` and ``claims``, with the fields promised, no more.

    A study from before something was recorded has None there.
    """
    provenance = values["provenance"]
    return {
        "commit": "; ".join(provenance["commits"]),
        **{field: provenance.get(field) for field in PLACE_FIELDS},
        "runs": [{field: row.get(field) for field in RUN_FIELDS} for row in values["runs"]],
        "claims": [{field: row[field] for field in CLAIM_FIELDS} for row in values["claims"]],
    }


def study_markdown(artifact: Artifact) -> str:
    """Verdicts and arms for Prefect's page."""
    values = read_study(artifact)
    lines = [*values["sentences"].get("lead", []), "", "## Claims", ""]
    lines += [
        f"- **{claim['verdict']}**: {claim['claim']} {claim['evidence']}"
        for claim in values["claims"]
    ]
    lines += ["", "## Arms", "", f"| {' | '.join(ARM_HEAD)} |", f"|{'---|' * len(ARM_HEAD)}"]
    lines += [f"| {' | '.join(cells)} |" for cells in arm_cells(values)]
    return "\n".join([*lines, "", *values["sentences"]["costs"], ""])


ARM_HEAD = ("arm", "runs", "RaPR", "accuracy", "interval", "digits", "greedy")


def arm_cells(values: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row an arm, as a terminal and a page show it; accuracies in per cent."""
    rows: list[tuple[str, ...]] = []
    for name, arm in values["arms"].items():
        accuracy = arm["accuracy"]
        interval = accuracy["all"]["interval"]
        rows.append(
            (
                name,
                ", ".join(part for part in (str(arm["runs"]), arm.get("missed_rule")) if part),
                " to ".join(
                    dict.fromkeys(f"{arm['rapr'][end]:.3f}" for end in ("smallest", "largest"))
                ),
                _percent(accuracy["all"]),
                f"{100 * interval['low']:.1f} to {100 * interval['high']:.1f}",
                _percent(accuracy.get("digits")),
                _percent(accuracy["greedy"]),
            )
        )
    return rows


def _percent(mean: dict[str, Any] | None) -> str:
    return "-" if mean is None else f"{100 * mean['value']:.1f} %"
