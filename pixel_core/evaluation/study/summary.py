"""From runs to the numbers of the study: means of arms, differences between them, verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

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

#: What arms are measured by beside the question kinds.
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
        """How many of the runs are not one and the same."""
        return len({run.key for run in self.runs})

    @property
    def places(self) -> list[Place]:
        """What each run stands on."""
        return [(run.seeds.base_model, run.seeds.warm_start) for run in self.runs]

    @property
    def missed(self) -> int:
        """Runs whose warm start never met the rule that was to choose it."""
        return sum(run.selected is False for run in self.runs)


@dataclass(frozen=True)
class Study:
    """All that the page and ``study.json`` tell."""

    arms: dict[str, ArmSummary]
    kinds: list[str]
    #: ``full`` minus each other arm, by arm and measure; empty when ``full`` was not run.
    differences: dict[str, dict[str, Difference]]
    verdicts: list[ClaimVerdict]
    #: On which base models the trap and the rescue are seen.
    held: list[Held]
    #: The same without the seeds whose warm start missed its rule; empty where none did.
    held_where_met: list[Held] = field(default_factory=list)

    @property
    def runs(self) -> list[RunResult]:
        return [run for arm in self.arms.values() for run in arm.runs]

    @property
    def base_models(self) -> list[int]:
        """Their seeds, in order."""
        return sorted({run.seeds.base_model for run in self.runs})


def summarise(runs: Sequence[RunResult], config: StudyConfig, temperature: float) -> Study:
    """``temperature`` is the answers' own, for the claims' words."""
    kinds = sorted(set(runs[0].end.kinds_q))
    measures = [ALL, GREEDY]
    if runs[0].end.among(config.claims.digit_kinds).any():
        measures.append(DIGITS)
    measures += kinds
    arms = _arms(runs, measures, config)
    differences = _differences(arms, measures, config)
    verdicts, held_on = _judged(arms, differences, config, temperature)
    met_on: list[Held] = []
    kept = _where_met(runs)
    if kept and len(kept) < len(runs):
        met = _arms(kept, measures, config)
        again, met_on = _judged(met, _differences(met, measures, config), config, temperature)
        verdicts = [_beside(one, other) for one, other in zip(verdicts, again, strict=True)]
    return Study(arms, kinds, differences, verdicts, held_on, met_on)


def _where_met(runs: Sequence[RunResult]) -> list[RunResult]:
    """The runs on seeds whose warm start met its rule in every arm that has one: arms are
    compared on the same seeds."""
    lost = {run.seeds for run in runs if run.selected is False}
    return [run for run in runs if run.seeds not in lost]


def _beside(verdict: ClaimVerdict, met: ClaimVerdict) -> ClaimVerdict:
    """A verdict over all runs, and what those show whose warm start met its rule."""
    said = f"{verdict.evidence} Without the seeds that missed it: {met.verdict}. {met.evidence}"
    return replace(verdict, evidence=said)


def _arms(
    runs: Sequence[RunResult], measures: Sequence[str], config: StudyConfig
) -> dict[str, ArmSummary]:
    arms = {}
    for name in dict.fromkeys(run.arm for run in runs):
        arm_runs = sorted((run for run in runs if run.arm == name), key=lambda run: run.seeds)
        places = [(run.seeds.base_model, run.seeds.warm_start) for run in arm_runs]
        accuracy = {
            measure: mean_over_runs(_matrix(arm_runs, measure, config), places, _how(config))
            for measure in measures
        }
        arms[name] = ArmSummary(name, arm_runs, accuracy)
    return arms


def _differences(
    arms: dict[str, ArmSummary], measures: Sequence[str], config: StudyConfig
) -> dict[str, dict[str, Difference]]:
    full = arms.get(FULL)
    if full is None:
        return {}
    return {
        name: {
            measure: paired_difference(
                _matrix(arm.runs, measure, config),
                _matrix(full.runs, measure, config),
                full.places,
                _how(config),
            )
            for measure in measures
        }
        for name, arm in arms.items()
        if name != FULL
    }


def _judged(
    arms: dict[str, ArmSummary],
    differences: dict[str, dict[str, Difference]],
    config: StudyConfig,
    temperature: float,
) -> tuple[list[ClaimVerdict], list[Held]]:
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
    return (
        judge(endings, *gains, config.claims, temperature),
        held(endings, *gains, config.claims),
    )


def _how(config: StudyConfig) -> IntervalSettings:
    return IntervalSettings(config.confidence, config.resamples, config.seed)


def _matrix(runs: Sequence[RunResult], measure: str, config: StudyConfig) -> Floats:
    return np.stack([_values(run.end, measure, config) for run in runs])


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
