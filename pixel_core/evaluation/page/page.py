"""The stage ``benchmarks``: one HTML page with every benchmark's scores, down to pixels.

Self-contained like the report: no script, no request, pictures as data URIs. Text by models
and datasets is untrusted: the templates escape every value, and only charts (serialised from
an XML tree) enter as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from pydantic import ValidationError

from pixel_core.errors import DataError
from pixel_core.evaluation.page.chart import score_chart
from pixel_core.evaluation.page.checks import ChecksSection, data_check, notices
from pixel_core.evaluation.page.examples import ExamplePair, example_pairs
from pixel_core.evaluation.page.headline import (
    LINK,
    SOURCE,
    RowLook,
    compared_rows,
    headline,
    looks_of,
    published_rows,
)
from pixel_core.evaluation.page.tables import PageTable, kind_table, tables_of
from pixel_core.evaluation.results import BenchmarkResult
from pixel_core.evaluation.settings import block_lines
from pixel_core.media.archive import PictureArchive
from pixel_core.report.episodes.gallery import Embedded, Gallery
from pixel_core.report.html.templating import page_environment
from pixel_core.report.html.wording import percent
from pixel_core.workflow.stage import StageContext
from pixel_core.workflow.table import (
    ModelVariant,
    answers_stage,
    questions_stage,
    rows_of,
    scores_stage,
)

FILE = "benchmarks.html"
#: Larger pages are slow to open; the stage warns.
_LARGE = 8_000_000


@dataclass(frozen=True)
class BenchmarkSection:
    """One benchmark's section of the page."""

    result: BenchmarkResult
    notices: list[str]
    chart: Markup
    tables: list[PageTable]
    kinds: PageTable | None
    check: ChecksSection
    settings: str
    pairs: list[ExamplePair]
    embedded: list[Embedded]


def run(context: StageContext) -> dict[str, Any]:
    """Questions, answers and scores in, ``benchmarks.html`` out. Metrics: bytes, examples."""
    config = context.config
    rows, names = rows_of(config), config.benchmarks.names
    looks = looks_of(rows)
    parts = []
    for number, name in enumerate(names, 1):
        parts.append(_part(context, name, rows, looks))
        context.progress.update(number, len(names) + 1)
    results = [part.result for part in parts]
    data = (
        page_environment("pixel_core.evaluation", "pixel_core.report.episodes")
        .get_template("benchmarks.html.jinja")
        .render(
            title=config.report.title,
            profile=config.name,
            parts=parts,
            looks=looks,
            headline=headline(results, looks),
            published=published_rows(results),
            source=SOURCE,
            link=LINK,
            examples=config.benchmarks.examples,
            confidence=percent(config.benchmarks.scoring.confidence, 0),
            resamples=config.benchmarks.scoring.resamples,
        )
        .encode("utf-8")
    )
    (context.out / FILE).write_bytes(data)
    if len(data) > _LARGE:
        context.progress.note(
            f"the page takes {len(data) / 1e6:.1f} MB; a smaller benchmarks.examples shrinks it"
        )
    context.progress.update(len(names) + 1, len(names) + 1)
    shown = sum(len(p.won_cards) + len(p.lost_cards) for part in parts for p in part.pairs)
    return {"bytes": len(data), "benchmarks": len(parts), "examples": shown}


def _part(
    context: StageContext, name: str, rows: Sequence[ModelVariant], looks: Sequence[RowLook]
) -> BenchmarkSection:
    section = context.config.benchmarks
    result = _read(context.inputs[scores_stage(name)])
    answers = {row.name: context.inputs[answers_stage(name, row)] for row in rows}
    archive = PictureArchive(context.inputs[questions_stage(name)] / "pictures.zip")
    gallery = Gallery(archive.load, f"{name}-picture")
    confidence = section.scoring.confidence
    seconds = {
        row.name: taken["run_seconds"]
        for row in rows
        if "run_seconds" in (taken := context.timings.get(answers_stage(name, row), {}))
    }
    kinds = kind_table(result, confidence)
    try:
        pairs = example_pairs(
            result, answers, compared_rows(rows), looks, gallery, section.examples
        )
    finally:
        archive.close()
    return BenchmarkSection(
        result=result,
        notices=notices(result),
        chart=score_chart(result, looks),
        tables=tables_of(result, confidence, seconds),
        kinds=kinds if len(kinds.rows) > len(rows) else None,
        check=data_check(result),
        settings="\n".join(block_lines(result.settings)),
        pairs=pairs,
        embedded=gallery.embedded,
    )


def _read(folder: Path) -> BenchmarkResult:
    path = folder / "scores.json"
    try:
        return BenchmarkResult.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(f"{path}: not a benchmark's result: {error}; score it again") from error
