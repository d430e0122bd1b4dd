"""The study's tables as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pixel_core.evaluation.study.bands import shares_of
from pixel_core.evaluation.study.lead import missed_words
from pixel_core.evaluation.study.results import RunResult
from pixel_core.evaluation.study.sentences import share_range
from pixel_core.evaluation.study.statistics import Mean
from pixel_core.evaluation.study.summary import ALL, DIGITS, GREEDY, ArmSummary, Study
from pixel_core.report.html.wording import p_value, percent, plain, points, span

Row = dict[str, Any]
_NONE = "–"
#: Steps at each end of a curve that the gap's table averages.
_ENDS = 10


def arm_rows(study: Study) -> list[Row]:
    """Each arm's means with intervals."""
    return [
        {
            "arm": name,
            "runs": _count(arm),
            "rapr": _range([run.end.rapr for run in arm.runs]),
            "start": _range([run.start.rapr for run in arm.runs]),
            "all": _mean(arm.accuracy[ALL]),
            "digits": _mean(arm.accuracy.get(DIGITS)),
            "greedy": _mean(arm.accuracy[GREEDY]),
            "kinds": [_mean(arm.accuracy[kind]) for kind in study.kinds],
            "errors": share_range([run.end.op_error_rate for run in arm.runs]),
        }
        for name, arm in study.arms.items()
    ]


def difference_tables(study: Study) -> list[tuple[str, list[Row]]]:
    """``full`` minus each other arm: first the claims' measures, then every measure."""
    main = {ALL, DIGITS}
    return [
        ("Paired differences", _difference_rows(study, lambda measure: measure in main)),
        (
            "Paired differences, greedy and by kind of question",
            _difference_rows(study, lambda measure: measure not in main),
        ),
    ]


def _difference_rows(study: Study, shown: Callable[[str], bool]) -> list[Row]:
    return [
        {
            "arm": name,
            "measure": _measure(measure),
            "questions": found.questions,
            "runs": found.runs,
            "difference": points(found.value),
            "interval": f"{points(found.interval.low)} to {points(found.interval.high)}",
            "extremes": f"{points(found.smallest)} to {points(found.largest)}",
            "p_questions": p_value(found.p_questions),
            # With one pair, a sign test says nothing.
            "p_runs": f"{p_value(found.p_runs)}, {found.unit}" if found.runs > 1 else _NONE,
        }
        for name, by in study.differences.items()
        for measure, found in by.items()
        if shown(measure)
    ]


def gap_rows(study: Study) -> list[Row]:
    """Accuracy of training rollouts with and without an operation, early and late, pooled
    over all of them."""
    rows = []
    for name, arm in study.arms.items():
        row: Row = {"arm": name}
        for place, part in (("early", slice(None, _ENDS)), ("late", slice(-_ENDS, None))):
            for key in ("with", "without"):
                column = f"accuracy_{key}_operation"
                right = count = 0.0
                for run in arm.runs:
                    shares = shares_of(run.curve, column)[part]
                    for step, share in zip(run.curve[part], shares, strict=True):
                        if column in step:
                            right, count = right + step[column] * share, count + share
                row[f"{place}_{key}"] = percent(right / count) if count else _NONE
        rows.append(row)
    return rows


def located(study: Study) -> bool:
    """Whether there are questions with a known place of the evidence."""
    return any(run.end.diagnosis.answers for arm in study.arms.values() for run in arm.runs)


def diagnosis_rows(study: Study) -> list[Row]:
    """Where an operation fails: by arm and base model, at the warm start and at the end; means
    over the runs that have a value."""
    rows = []
    for name, arm in study.arms.items():
        for base_model in dict.fromkeys(base for base, _ in arm.places):
            runs = [run for run in arm.runs if run.seeds.base_model == base_model]
            for when, found in (
                ("warm start", [run.start.diagnosis for run in runs]),
                ("end", [run.end.diagnosis for run in runs]),
            ):
                used = sum(one.used for one in found) / sum(one.answers for one in found)
                rows.append(
                    {
                        "arm": name,
                        "base_model": base_model,
                        "missed": missed_words(runs),
                        "when": when,
                        "used": percent(used),
                        "hits": _mean_share([one.hits for one in found]),
                        "read": _mean_share([one.read for one in found]),
                        "with": _mean_share([one.accuracy_with for one in found]),
                        "without": _mean_share([one.accuracy_without for one in found]),
                        "pays": _mean_points([one.pays for one in found]),
                    }
                )
    return rows


def run_rows(study: Study, cells: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Every run with its own interval over questions."""
    found = {_cell(cell): cell for cell in cells}
    return [
        {
            "arm": run.arm,
            "base_model": run.seeds.base_model,
            "warm_start": run.seeds.warm_start,
            "missed": missed_words([run]),
            "seed": run.seeds.rl,
            "place": str(run.place),
            "rapr": f"{run.end.rapr:.3f}",
            "all": percent(float(run.end.sampled_q.mean())),
            "interval": span(run.end.sampled.low, run.end.sampled.high),
            "greedy": percent(float(run.end.greedy_q.mean())),
            "kinds": [percent(run.end.by[kind]["accuracy"]) for kind in study.kinds],
            "errors": percent(run.end.op_error_rate),
            "with": _share(run.end.with_operation),
            "without": _share(run.end.without_operation),
            "ended": _ended(found[run.arm, *run.seeds], run),
        }
        for arm in study.arms.values()
        for run in arm.runs
    ]


def warm_start_rows(study: Study, cells: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The distinct starting points of RL, with the arms that start from them."""
    rows: dict[tuple[str, int, int], Row] = {}
    runs = {(run.arm, *run.seeds): run for arm in study.arms.values() for run in arm.runs}
    for cell in cells:
        run = runs[_cell(cell)]
        # Arms share a starting point when their first runs use one artifact, which is then the
        # same object.
        known = next((row for row in rows.values() if row["answered"] is run.start), None)
        if known is not None:
            known["arms"] = list(dict.fromkeys([*known["arms"], run.arm]))
            continue
        base_model, warm_start, _ = run.seeds
        rows[run.arm, base_model, warm_start] = {
            "answered": run.start,
            "base_model": base_model,
            "seed": warm_start,
            "missed": missed_words([run]),
            "arms": [run.arm],
            "rapr": f"{run.start.rapr:.3f}",
            "all": percent(float(run.start.sampled_q.mean())),
            "interval": span(run.start.sampled.low, run.start.sampled.high),
            "greedy": percent(float(run.start.greedy_q.mean())),
            "with": _share(run.start.with_operation),
            "without": _share(run.start.without_operation),
            "chosen": _chosen(cell["warm_start_metrics"]),
        }
    return list(rows.values())


def duration_words(seconds: float) -> str:
    """``42 s``, ``31 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _cell(cell: Mapping[str, Any]) -> tuple[str, int, int, int]:
    base_model, warm_start, rl = cell["seeds"]
    return cell["arm"], base_model, warm_start, rl


def _ended(cell: Mapping[str, Any], run: RunResult) -> str:
    """Steps, and the guard that ended the run, if any."""
    metrics = cell["rl_metrics"]
    stopped = metrics.get("stopped_by")
    return f"stopped by {plain(str(stopped))}" if stopped else f"{len(run.curve)} steps"


def _chosen(metrics: Mapping[str, Any]) -> str:
    """The rule by which SFT ended."""
    if metrics.get("selected_at"):
        return (
            f"step {metrics['selected_at']:g}, the first at which the rule held "
            f"(validation RaPR {metrics.get('validation_rapr', 0):.2f})"
        )
    if metrics.get("selected") is False:
        passed = metrics.get("passed_at")
        beyond = f", its window passed at step {passed:g}" if passed else ""
        return f"the rule never held{beyond}: the last of {metrics.get('steps', 0):g} steps"
    return f"after {metrics.get('steps', 0):g} steps"


def _count(arm: ArmSummary) -> str:
    count = len(arm.runs)
    return str(count) if arm.distinct == count else f"{count}, {arm.distinct} distinct"


def _mean(mean: Mean | None) -> str:
    if mean is None:
        return _NONE
    low, high = 100 * mean.interval.low, 100 * mean.interval.high
    return f"{100 * mean.value:.1f} ({low:.1f} to {high:.1f})"


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.3f}", f"{max(values):.3f}"
    return low if low == high else f"{low} to {high}"


def _share(value: float | None) -> str:
    return _NONE if value is None else percent(value)


def _mean_share(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return percent(sum(known) / len(known)) if known else _NONE


def _mean_points(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return points(sum(known) / len(known)) if known else _NONE


def _measure(measure: str) -> str:
    names = {ALL: "all, sampled", GREEDY: "all, greedy", DIGITS: "digits, sampled"}
    return names.get(measure, f"{plain(measure)}, sampled")
