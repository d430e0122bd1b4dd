"""The study's findings beside its claims, in plain sentences. Every number is computed."""

from __future__ import annotations

from collections.abc import Sequence

from pixel_core.evaluation.study.claims import FULL, NO_CURIOSITY
from pixel_core.evaluation.study.statistics import Difference
from pixel_core.evaluation.study.summary import ALL, ArmSummary, Study
from pixel_core.report.html.wording import p_value, percent, plain, points


def costs(study: Study) -> list[str]:
    """The costs and gains of curiosity by kind of question, and in calls."""
    against = study.differences.get(NO_CURIOSITY)
    if against is None:
        return []
    sides: dict[str, list[str]] = {
        "Curiosity wins on": [],
        "Curiosity costs on": [],
        "No clear difference on": [],
    }
    wins, loses, neither = sides.values()
    for kind in study.kinds:
        interval = against[kind].interval
        side = wins if interval.low > 0 else loses if interval.high < 0 else neither
        side.append(kind)
    sentences = []
    for words, kept in sides.items():
        if kept:
            parts = [f"{plain(kind)} {_size(against[kind])}" for kind in kept]
            sentences.append(f"{words} {'; '.join(parts)}.")
    full, without = study.arms[FULL], study.arms[NO_CURIOSITY]
    failed = share_range([run.end.op_error_rate for run in full.runs])
    sentences.append(
        f"With curiosity {failed} of the attempted calls fail in the end; an answer uses an "
        f"operation in {share_range(full.raprs)} of the cases, without curiosity in "
        f"{share_range(without.raprs)}."
    )
    return sentences


def against_full(study: Study) -> dict[str, str]:
    """For each arm but ``full``, one sentence on how it differs from it."""
    return {
        name: f"{_relation(name, found[ALL], study.arms[name])} {_use(study.arms[name])}"
        for name, found in study.differences.items()
    }


def _relation(name: str, found: Difference, arm: ArmSummary) -> str:
    accuracy = percent(arm.accuracy[ALL].value)
    # ``found`` is full minus the arm; the sentence speaks of the arm.
    value, low, high = -found.value, -found.interval.high, -found.interval.low
    if low > 0 or high < 0:
        relation = f"{abs(100 * value):.1f} points {'more' if value > 0 else 'less'} than"
    else:
        relation = "not clearly different from"
    seeds = f", {p_value(found.p_runs)} over {found.unit}" if found.runs > 1 else ""
    return (
        f"Ends at {accuracy} accuracy, {relation} {FULL} ({points(value)}, interval "
        f"{points(low)} to {points(high)}; by pair of runs {points(-found.largest)} to "
        f"{points(-found.smallest)}; {p_value(found.p_questions)} over questions"
        f"{seeds})."
    )


def _use(arm: ArmSummary) -> str:
    use = f"Its RaPR ends at {share_range(arm.raprs)}."
    if arm.distinct < len(arm.runs):
        use += (
            f" Its {len(arm.runs)} cells are {arm.distinct} distinct runs, since warm-start "
            "seeds do not reach it: its intervals and tests count some runs more than once."
        )
    return use


def _size(found: Difference) -> str:
    return (
        f"{points(found.value)} points ({points(found.interval.low)} to "
        f"{points(found.interval.high)})"
    )


def share_range(values: Sequence[float]) -> str:
    """One value, or the range of several values."""
    low, high = percent(min(values)), percent(max(values))
    return low if low == high else f"{low} to {high}"
