"""The study's page: verdicts on top, then curves, tables, and how it was made.

Self-contained like the report: no script, no request. Every text is escaped by the template;
only charts enter as markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pixel_core.config.pipeline import PipelineConfig
from pixel_core.evaluation.study.bands import FEW
from pixel_core.evaluation.study.lead import drawn_anew, lead, missed_words
from pixel_core.evaluation.study.panels import arm_colours, curve_panels, kind_chart, use_panels
from pixel_core.evaluation.study.sentences import against_full, costs
from pixel_core.evaluation.study.summary import Study
from pixel_core.evaluation.study.tables import (
    arm_rows,
    diagnosis_rows,
    difference_tables,
    duration_words,
    gap_rows,
    located,
    run_rows,
    warm_start_rows,
)
from pixel_core.report.html.settings import settings_lines
from pixel_core.report.html.templating import page_environment
from pixel_core.report.html.wording import percent
from pixel_core.statistics.hits import HIT


def write_page(
    path: Path,
    study: Study,
    config: PipelineConfig,
    cells: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any],
) -> int:
    """Write the page; returns its size in bytes."""
    section = config.study
    first = next(iter(study.arms.values()))
    page = (
        page_environment("pixel_core.evaluation.study")
        .get_template("study.html.jinja")
        .render(
            title="The learning trap",
            profile=config.name,
            questions=len(first.runs[0].end.kinds_q),
            samples=config.answers.samples,
            temperature=config.answers.sampling.temperature,
            base_models=section.base_model_seeds,
            warm_starts=section.warm_start_seeds,
            rl_seeds=section.rl_seeds,
            lead=lead(study, quick=provenance["quick"]),
            drawn_anew=drawn_anew(study),
            missed={name: missed_words(arm.runs) for name, arm in study.arms.items()},
            verdicts=study.verdicts,
            costs=costs(study),
            against_full=against_full(study),
            arms=section.arms,
            colours=arm_colours(study),
            panels=curve_panels(study),
            use_panels=use_panels(study),
            kinds=kind_chart(study),
            arm_rows=arm_rows(study),
            difference_tables=difference_tables(study),
            gap_rows=gap_rows(study),
            diagnosis_rows=diagnosis_rows(study) if located(study) else [],
            hit=percent(HIT, 0),
            run_rows=run_rows(study, cells),
            warm_start_rows=warm_start_rows(study, cells),
            kind_names=study.kinds,
            departures=section.departures,
            settings=settings_lines(config),
            provenance=provenance,
            span=duration_words(provenance["span_seconds"]),
            work=duration_words(sum(part["seconds"] for part in provenance["stages"].values())),
            stage_times={
                name: (part["count"], duration_words(part["seconds"]))
                for name, part in provenance["stages"].items()
            },
            claims=section.claims,
            few=round(1 / FEW),
            confidence=percent(section.confidence, 0),
            resamples=section.resamples,
        )
    )
    data = page.encode("utf-8")
    path.write_bytes(data)
    return len(data)
