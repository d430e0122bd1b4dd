"""The report stage: one HTML page that shows what was trained, and how well it went.

The page is self-contained: no script, no request, pictures as data URIs. Model output is
untrusted: the templates escape every value, only charts (serialised from an XML tree) enter as
markup, and a content security policy forbids everything else.
"""

from __future__ import annotations

from typing import Any

from pixel_core.models.loading import load_vocabulary
from pixel_core.report.episode_cards import RULE, question_cards
from pixel_core.report.episodes.gallery import Gallery
from pixel_core.report.findings import (
    comparison_rows,
    findings,
    kind_chart,
    kind_rows,
    score_rows,
    tiles,
)
from pixel_core.report.html.settings import settings_lines
from pixel_core.report.html.templating import page_environment
from pixel_core.report.inventory import (
    Table,
    author_table,
    cost_table,
    look_table,
    seed_table,
    trajectory_table,
)
from pixel_core.report.material import Material, read_material
from pixel_core.report.token_cards import token_cards
from pixel_core.report.training import training_parts
from pixel_core.report.trajectory_cards import sight, trajectory_cards
from pixel_core.workflow.stage import StageContext

FILE = "report.html"
#: Larger pages are slow to open; the stage warns.
_LARGE = 3_000_000


def run(context: StageContext) -> dict[str, Any]:
    """The stage: all artifacts in, ``report.html`` out. Metrics: bytes and what is shown."""
    config = context.config
    material = read_material(context.inputs, config.sft)
    context.progress.update(1, 3)
    gallery = Gallery(material.archive.load)
    cards = trajectory_cards(material, gallery, config.dialogue)
    questions = question_cards(material, gallery, config.report.examples)
    vocabulary = load_vocabulary(context.inputs["base_model"])
    tokens = token_cards(material, gallery, config.dialogue, vocabulary)
    page = _page(
        context, material, gallery, cards=cards, questions=questions, token_cards=tokens
    )
    context.progress.update(2, 3)
    data = page.encode("utf-8")
    (context.out / FILE).write_bytes(data)
    if len(data) > _LARGE:
        context.progress.note(
            f"the report takes {len(data) / 1e6:.1f} MB; a smaller report.examples shrinks it"
        )
    context.progress.update(3, 3)
    return {"bytes": len(data), "trajectories": len(cards), "questions": len(questions)}


def _tables(material: Material, context: StageContext) -> list[Table]:
    """Counts of the input data; omits empty tables."""
    tables = [
        seed_table(material),
        author_table(material),
        look_table(material),
        cost_table(context.costs.get("annotate", {})),
        trajectory_table(material),
    ]
    return [table for table in tables if table is not None]


def _page(context: StageContext, material: Material, gallery: Gallery, **cards: Any) -> str:
    config = context.config
    return (
        page_environment("pixel_core.report", "pixel_core.report.episodes")
        .get_template("report.html.jinja")
        .render(
            title=config.report.title,
            questions_asked=len(material.queries),
            benchmark=config.evaluate.benchmark,
            tiles=tiles(material),
            findings=findings(material),
            hidden_kinds=material.hidden_kinds(),
            scores=score_rows(material),
            comparisons=comparison_rows(material),
            kinds=kind_chart(material),
            kind_rows=kind_rows(material),
            training=training_parts(material, config),
            sight=sight(material, gallery, config.dialogue),
            rule=RULE,
            tables=_tables(material, context),
            settings=settings_lines(config),
            resamples=config.evaluate.resamples,
            gallery=gallery,
            **cards,
        )
    )
