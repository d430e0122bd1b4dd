"""The opening of the study's page: how often the result holds, and what supports it."""

from __future__ import annotations

from collections.abc import Sequence

from pixel_core.evaluation.study.claims import Held
from pixel_core.evaluation.study.results import RunResult
from pixel_core.evaluation.study.summary import Study


def lead(study: Study, *, quick: bool = False) -> list[str]:
    """How often the claims hold, what the intervals cover, and any problems with the runs."""
    told = [
        "This is the small form of the study (--quick): it shows what the trap and the rescue "
        "look like, and is no evidence for other runs."
        if quick
        else "",
        _how_often(study),
        _where_met(study),
        _carried_by(study),
        _missed(study),
        _mixed(study),
    ]
    return [sentence for sentence in told if sentence]


def drawn_anew(study: Study) -> str:
    """What the intervals cover: the differences between an arm's runs, and questions."""
    several = [f"{name}s" for name, found in _levels(study) if len(found) > 1]
    return _listed([*several, "questions"], "and")


def missed_words(runs: Sequence[RunResult]) -> str:
    """A mark for results from warm starts that never met the rule; "" if there are none."""
    missed = sum(run.selected is False for run in runs)
    if not missed:
        return ""
    return "rule missed" if missed == len(runs) else f"rule missed in {missed} of {len(runs)}"


def _how_often(study: Study) -> str:
    return _held_on(study.held)


def _where_met(study: Study) -> str:
    if not study.held_where_met:
        return ""
    found = _held_on(study.held_where_met)
    return f"Without the seeds whose warm start missed its rule: {found[0].lower()}{found[1:]}"


def _held_on(found: Sequence[Held]) -> str:
    """How many base models each claim holds on, and all of them together."""
    if not found:
        return ""
    count = len({seed for one in found for seed in one.by_base_model})
    every = [{seed for seed, held in one.by_base_model.items() if held} for one in found]
    parts = [f"{one.words} on {one.count}" for one in found]
    if len(parts) > 1:
        parts.append(f"all of it on {len(set.intersection(*every))}")
    return f"Of {_count(count, 'base model')}: {'; '.join(parts)}."


def _carried_by(study: Study) -> str:
    """What was redrawn from run to run; the intervals cover nothing else."""
    levels = _levels(study)
    counts = [_count(len(found), name) for name, found in levels]
    single = [f"{name}s" for name, found in levels if len(found) == 1]
    said = f"{_count(len(study.runs), 'run')} in all, of each arm {_listed(counts, 'and')}."
    if single:
        said += (
            f" Intervals are over {drawn_anew(study)}, and say nothing about other "
            f"{_listed(single, 'or')}."
        )
    return said


def _levels(study: Study) -> list[tuple[str, set[object]]]:
    """Each arm's values at every level, from what runs share to what is their own."""
    runs = next(iter(study.arms.values())).runs
    return [
        ("base model", {run.seeds.base_model for run in runs}),
        ("warm start", {run.seeds[:2] for run in runs}),
        ("RL run", {run.seeds for run in runs}),
    ]


def _missed(study: Study) -> str:
    missed = [run for run in study.runs if run.selected is False]
    if not missed:
        return ""
    return (
        f"{len(missed)} of {_count(len(study.runs), 'run')} began at a warm start that never "
        "met the rule that was to choose it, with the last weights of its tuning. They are "
        "marked “rule missed”."
    )


def _mixed(study: Study) -> str:
    places = list(dict.fromkeys(run.place for run in study.runs))
    if len(places) < 2:
        return ""
    return (
        f"The runs were computed in {len(places)} different ways, which round differently: "
        f"{'; '.join(map(str, places))}. The table of runs says which was which."
    )


def _count(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def _listed(names: Sequence[str], last: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"
