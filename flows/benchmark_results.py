"""What a run found on benchmarks: its results, read back, and printed as tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.table import PageTable as RichTable
from rich.text import Text

from flows.consoles import plain_console
from flows.results import place_page
from pixel_core.config import PipelineConfig
from pixel_core.errors import DataError
from pixel_core.evaluation.page.checks import counted, notices
from pixel_core.evaluation.page.tables import PageTable, tables_of
from pixel_core.evaluation.results import BenchmarkResult
from pixel_core.workflow.benchmark_stages import PAGE, scores_stage
from pixel_core.workflow.store import Artifact, Store

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
