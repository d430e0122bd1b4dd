"""The stage ``study``: all cells' curves and answers in, ``study.json`` and a page out.

``study.json``: ``runs`` (a row a cell), ``claims`` (claim, verdict, evidence), ``held`` (on
which base models), ``held_where_rule_met`` (the same without the seeds whose warm start missed
its rule; empty where none did), ``arms`` (means with intervals), ``differences`` (``full``
minus each arm), ``sentences`` and ``provenance`` (command, code, machine, time).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pixel_core.evaluation.study.lead import drawn_anew, lead, missed_words
from pixel_core.evaluation.study.page import write_page
from pixel_core.evaluation.study.results import RunResult, read_runs
from pixel_core.evaluation.study.sentences import against_full, costs
from pixel_core.evaluation.study.stage import FILE, PAGE
from pixel_core.evaluation.study.summary import DIGITS, ArmSummary, Study, summarise
from pixel_core.statistics.metrics import IntervalSettings
from pixel_core.workflow.stage import StageContext


def run(
    context: StageContext, cells: Sequence[Mapping[str, Any]], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """``cells`` names each cell's inputs (see ``stage.study_stage``)."""
    config = context.config.study
    sampling = IntervalSettings(config.confidence, config.resamples, config.seed)
    runs = read_runs(cells, context.inputs, sampling)
    context.progress.update(1, 3)
    study = summarise(runs, config, context.config.answers.sampling.temperature)
    context.progress.update(2, 3)
    values = {
        "runs": [_run_row(run, config.claims.digit_kinds) for run in runs],
        "claims": [asdict(verdict) for verdict in study.verdicts],
        "held": [asdict(held) for held in study.held],
        "held_where_rule_met": [asdict(held) for held in study.held_where_met],
        "arms": {name: _arm(arm, config.arms[name].text) for name, arm in study.arms.items()},
        "differences": {
            name: {measure: asdict(found) for measure, found in by.items()}
            for name, by in study.differences.items()
        },
        "sentences": {
            "lead": lead(study, quick=provenance["quick"]),
            "costs": costs(study),
            "against_full": against_full(study),
        },
        "settings": {
            **asdict(sampling),
            "unit": drawn_anew(study),
        },
        "provenance": dict(provenance),
    }
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
    (context.out / FILE).write_text(text + "\n", encoding="utf-8")
    size = write_page(context.out / PAGE, study, context.config, cells, provenance)
    context.progress.update(3, 3)
    return _metrics(study, size)


def _run_row(run: RunResult, digit_kinds: Sequence[str]) -> dict[str, Any]:
    end = run.end
    digits = end.sampled_q[end.among(digit_kinds)]
    return {
        "arm": run.arm,
        "base_model_seed": run.seeds.base_model,
        "warm_start_seed": run.seeds.warm_start,
        "rl_seed": run.seeds.rl,
        "warm_start_selected": run.selected,
        **asdict(run.place),
        "rapr": end.rapr,
        "accuracy_sampled": float(end.sampled_q.mean()),
        "accuracy_greedy": float(end.greedy_q.mean()),
        "digits_sampled": float(digits.mean()) if digits.size else None,
        "by": end.by,
        "interval_sampled": asdict(end.sampled),
        "interval_greedy": asdict(end.greedy),
        "op_error_rate": end.op_error_rate,
        "accuracy_with_operation": end.with_operation,
        "accuracy_without_operation": end.without_operation,
        "rapr_at_start": run.start.rapr,
        "accuracy_sampled_at_start": float(run.start.sampled_q.mean()),
        "diagnosis": asdict(end.diagnosis),
        "diagnosis_at_start": asdict(run.start.diagnosis),
    }


def _arm(arm: ArmSummary, text: str) -> dict[str, Any]:
    return {
        "text": text,
        "runs": len(arm.runs),
        "distinct_runs": arm.distinct,
        "missed_rule": missed_words(arm.runs),
        "rapr": {"smallest": min(arm.raprs), "largest": max(arm.raprs)},
        "accuracy": {measure: asdict(mean) for measure, mean in arm.accuracy.items()},
    }


def _metrics(study: Study, size: int) -> dict[str, Any]:
    metrics: dict[str, Any] = {"runs": sum(len(arm.runs) for arm in study.arms.values())}
    for name, arm in study.arms.items():
        metrics[f"{name}_accuracy"] = arm.accuracy["all"].value
        if DIGITS in arm.accuracy:
            metrics[f"{name}_digits"] = arm.accuracy[DIGITS].value
        metrics[f"{name}_rapr"] = sum(arm.raprs) / len(arm.raprs)
    for verdict in study.verdicts:
        metrics[verdict.claim.split(".")[0]] = verdict.verdict
    return metrics | {"bytes": size}
