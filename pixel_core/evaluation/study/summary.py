"""The study's numbers, computed from runs: arm means, their differences, verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pixel_core.config.study import StudyConfig
from pixel_core.evaluation.study.claims import (
    FULL,
    NO_CURIOSITY,
    ArmRapr,
    ClaimVerdict,
    Gain,
    Held,
    held,
    judge,
)
from pixel_core.evaluation.study.results import Floats, ModelAnswers, RunResult
from pixel_core.evaluation.study.statistics import (
    Difference,
    IntervalSettings,
    Mean,
    Place,
    mean_over_runs,
    paired_difference,
)

#: Measures of arms besides the question kinds.
ALL, GREEDY, DIGITS = "all", "greedy", "digits"


@dataclass(frozen=True)
class ArmSummary:
    """One arm: its runs in the order of their seeds, and their means."""

    name: str
    runs: list[RunResult]
    #: Accuracy by measure: ``all`` and ``digits`` sampled, ``greedy``, and each question kind
    #: sampled.
    accuracy: dict[str, Mean]

    @property
    def raprs(self) -> list[float]:
        return [run.end.rapr for run in self.runs]

    @property
    def distinct(self) -> int:
        """The number of distinct runs."""
        return len({run.key for run in self.runs})

    @property
    def places(self) -> list[Place]:
        """What each run depends on."""
        return [(run.seeds.base_model, run.seeds.warm_start) for run in self.runs]

    @property
    def missed(self) -> int:
        """The number of runs whose warm start never met the selection rule."""
        return sum(run.selected is False for run in self.runs)


@dataclass(frozen=True)
class Study:
    """All content of the page and ``study.json``."""

    arms: dict[str, ArmSummary]
    kinds: list[str]
    #: ``full`` minus each other arm, by arm and measure; empty if ``full`` was not run.
    differences: dict[str, dict[str, Difference]]
    verdicts: list[ClaimVerdict]
    #: On which base models the trap and the rescue are seen.
    held: list[Held]

    @property
    def runs(self) -> list[RunResult]:
        return [run for arm in self.arms.values() for run in arm.runs]

    @property
    def base_models(self) -> list[int]:
        """Their seeds, in order."""
        return sorted({run.seeds.base_model for run in self.runs})


def summarise(runs: Sequence[RunResult], config: StudyConfig, temperature: float) -> Study:
    """``temperature``: of the answers, for the claims' wording."""
    how = IntervalSettings(config.confidence, config.resamples, config.seed)
    names = list(dict.fromkeys(run.arm for run in runs))
    kinds = sorted(set(runs[0].end.kinds_q))
    measures = [ALL, GREEDY]
    if runs[0].end.among(config.claims.digit_kinds).any():
        measures.append(DIGITS)
    measures += kinds

    def matrix(arm_runs: Sequence[RunResult], measure: str) -> Floats:
        return np.stack([_values(run.end, measure, config) for run in arm_runs])

    arms = {}
    for name in names:
        arm_runs = sorted((run for run in runs if run.arm == name), key=lambda run: run.seeds)
        places = [(run.seeds.base_model, run.seeds.warm_start) for run in arm_runs]
        accuracy = {m: mean_over_runs(matrix(arm_runs, m), places, how) for m in measures}
        arms[name] = ArmSummary(name, arm_runs, accuracy)
    differences: dict[str, dict[str, Difference]] = {}
    full = arms.get(FULL)
    if full is not None:
        differences = {
            name: {
                measure: paired_difference(
                    matrix(arm.runs, measure),
                    matrix(full.runs, measure),
                    full.places,
                    how,
                )
                for measure in measures
            }
            for name, arm in arms.items()
            if name != FULL
        }
    endings = {
        name: ArmRapr(
            [run.start.rapr for run in arm.runs],
            arm.raprs,
            [run.seeds.base_model for run in arm.runs],
            arm.distinct,
            arm.missed,
        )
        for name, arm in arms.items()
    }
    gains = _gain(arms, differences, ALL), _gain(arms, differences, DIGITS)
    return Study(
        arms,
        kinds,
        differences,
        verdicts=judge(endings, *gains, config.claims, temperature),
        held=held(endings, *gains, config.claims),
    )


def _values(answered: ModelAnswers, measure: str, config: StudyConfig) -> Floats:
    """Each question's share of right answers, over the questions of the measure."""
    if measure == ALL:
        return answered.sampled_q
    if measure == GREEDY:
        return answered.greedy_q
    kinds = config.claims.digit_kinds if measure == DIGITS else (measure,)
    return answered.sampled_q[answered.among(kinds)]


def _gain(
    arms: dict[str, ArmSummary], differences: dict[str, dict[str, Difference]], measure: str
) -> Gain | None:
    found = differences.get(NO_CURIOSITY, {}).get(measure)
    if found is None:
        return None
    full, without = arms[FULL].accuracy[measure], arms[NO_CURIOSITY].accuracy[measure]
    return Gain(
        questions=found.questions,
        with_curiosity=full.value,
        interval_with=full.interval,
        without=without.value,
        interval_without=without.interval,
        difference=found.interval,
        smallest=found.smallest,
        p_questions=found.p_questions,
        p_runs=found.p_runs if found.runs > 1 else None,
        unit=found.unit,
        by_base_model=found.by_base_model,
        missed=arms[FULL].missed + arms[NO_CURIOSITY].missed,
    )
