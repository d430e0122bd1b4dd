"""The claims of the learning trap, judged from numbers alone.

Two states of a run, by its RaPR on the held-out questions, sampled: *trapped* below
``claims.trapped`` (0.05), *in use* above ``claims.in_use`` (0.3); at a threshold, or between
the two, neither. A claim that an arm ends in one state is

- **shown** when every run of the arm is in it,
- **contradicted** when every run of the arm is in the other,
- **not shown** otherwise.

A claim that curiosity wins at least a given number of points of accuracy is

- **shown** when the mean difference reaches them on every base model and the two arms'
  intervals do not overlap,
- **contradicted** when the interval of the paired difference lies wholly below 0, so that the
  arm without curiosity is better,
- **not shown** otherwise.

A claim about an arm that was not run is not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pixel_core.config.study import ClaimsConfig
from pixel_core.statistics.intervals import Interval

Status = Literal["shown", "not shown", "contradicted"]

FULL, NO_CURIOSITY, PENALTY_ONLY, NO_WARM_START = (
    "full",
    "no_curiosity",
    "penalty_only",
    "no_warm_start",
)


@dataclass(frozen=True)
class ClaimVerdict:
    claim: str
    verdict: Status
    evidence: str


@dataclass(frozen=True)
class ArmRapr:
    """An arm's RaPR, one value per run: at the start, and at the end."""

    started: Sequence[float]
    ended: Sequence[float]
    #: The seed of each run's base model.
    base_models: Sequence[int]
    #: Number of distinct runs; None: all.
    distinct: int | None = None
    #: Number of runs whose warm start never met the selection rule.
    missed: int = 0


@dataclass(frozen=True)
class Gain:
    """Accuracy with and without curiosity on the same questions, means over runs."""

    questions: int
    with_curiosity: float
    interval_with: Interval
    without: float
    interval_without: Interval
    difference: Interval
    smallest: float
    p_questions: float
    #: Over ``unit``: base models if there are several, else pairs of runs; None for one pair.
    p_runs: float | None
    unit: str
    #: The difference on each base model, by its seed.
    by_base_model: Mapping[int, float]
    #: Number of runs in both arms whose warm start never met its rule.
    missed: int = 0


@dataclass(frozen=True)
class Held:
    """A claim checked on each base model separately."""

    claim: str
    words: str
    #: By the base model's seed.
    by_base_model: Mapping[int, bool]

    @property
    def count(self) -> int:
        return sum(self.by_base_model.values())


def trapped(ended: Sequence[float], config: ClaimsConfig) -> Status:
    """Whether the runs end without using the operation."""
    if not ended:
        return "not shown"
    if all(rapr < config.trapped for rapr in ended):
        return "shown"
    return "contradicted" if all(rapr > config.in_use for rapr in ended) else "not shown"


def in_use(ended: Sequence[float], config: ClaimsConfig) -> Status:
    """Whether the runs end using the operation."""
    opposite: dict[Status, Status] = {"shown": "contradicted", "contradicted": "shown"}
    status = trapped(ended, config)
    return opposite.get(status, status)


def wins(gain: Gain, threshold: float) -> Status:
    """Whether curiosity wins by ``threshold`` (a share) on every base model, without overlap
    of the arms' intervals."""
    apart = gain.interval_with.low > gain.interval_without.high
    if apart and _reaching(gain, threshold) == len(gain.by_base_model):
        return "shown"
    return "contradicted" if gain.difference.high < 0 else "not shown"


def _reaching(gain: Gain, threshold: float) -> int:
    """On how many base models the gain reaches ``threshold``."""
    return sum(_reaches(value, threshold) for value in gain.by_base_model.values())


def _reaches(difference: float, threshold: float) -> bool:
    """Tolerates rounding: a difference of 0.12 may be computed as 0.11999999999999997."""
    return difference >= threshold - 1e-9


def held(
    endings: Mapping[str, ArmRapr],
    gain: Gain | None,
    digit_gain: Gain | None,
    config: ClaimsConfig,
) -> list[Held]:
    """On which base models the trap and the rescue are seen: claims 1a to 2b, if their arms
    were run. A gain holds where its mean difference reaches the points."""
    found = []
    for claim, words, arm, holds in (
        ("1a", "the trap without curiosity", NO_CURIOSITY, trapped),
        ("1b", "the operation kept with curiosity", FULL, in_use),
    ):
        ending = endings.get(arm)
        if ending is not None:
            found.append(Held(claim, words, _held_by(ending, holds, config)))
    for claim, kind, won, least in (
        ("2a", "over all questions", gain, config.gain),
        ("2b", "on digits", digit_gain, config.digit_gain),
    ):
        if won is not None:
            words = f"at least {100 * least:g} points won {kind}"
            reached = {
                seed: _reaches(value, least) for seed, value in won.by_base_model.items()
            }
            found.append(Held(claim, words, reached))
    return found


def judge(
    endings: dict[str, ArmRapr],
    gain: Gain | None,
    digit_gain: Gain | None,
    config: ClaimsConfig,
    temperature: float,
) -> list[ClaimVerdict]:
    """The verdicts, in the order of the claims. ``endings``: the arms that were run; a gain is
    None unless both arms were."""
    low, high = f"{config.trapped:g}", f"{config.in_use:g}"
    unused = f"RaPR ends below {low} on every seed"
    verdicts = []
    for claim, arm, holds in (
        (f"1a. Without curiosity {unused}.", NO_CURIOSITY, trapped),
        (
            f"1b. With curiosity RaPR ends above {high} on every seed.",
            FULL,
            in_use,
        ),
        (
            f"3a. The penalty alone does not do it: with it and no curiosity {unused}.",
            PENALTY_ONLY,
            trapped,
        ),
        (
            f"3b. Without a warm start the operation is not learnt: {unused}.",
            NO_WARM_START,
            trapped,
        ),
    ):
        ending = endings.get(arm)
        status = holds(ending.ended, config) if ending else "not shown"
        evidence = _ending_evidence(arm, ending, config)
        if ending is not None:
            evidence += _by_base_model(ending, holds, config)
        verdicts.append(ClaimVerdict(claim, status, evidence))
    sampled = f"sampled at T={temperature:g}"
    won = [
        _judge_gain(
            f"2a. Curiosity wins at least {100 * config.gain:g} points of accuracy over all "
            f"held-out questions on every base model, {sampled}, the intervals apart.",
            gain,
            config.gain,
        ),
        _judge_gain(
            f"2b. Curiosity wins at least {100 * config.digit_gain:g} points of accuracy on "
            f"the digit questions on every base model, {sampled}, the intervals apart.",
            digit_gain,
            config.digit_gain,
        ),
    ]
    return [*verdicts[:2], *won, *verdicts[2:]]


def _judge_gain(claim: str, gain: Gain | None, threshold: float) -> ClaimVerdict:
    if gain is None:
        missing = (
            f"The arms {FULL} and {NO_CURIOSITY} were not both run, or no held-out question is "
            "of these kinds."
        )
        return ClaimVerdict(claim, "not shown", missing)
    difference = 100 * (gain.with_curiosity - gain.without)
    apart = "lie apart" if gain.interval_with.low > gain.interval_without.high else "overlap"
    evidence = (
        f"{gain.questions} questions: {_percent(gain.with_curiosity)} with curiosity "
        f"({_span(gain.interval_with)}), {_percent(gain.without)} without "
        f"({_span(gain.interval_without)}); the intervals {apart}. Paired difference "
        f"{difference:+.1f} points ({100 * gain.difference.low:+.1f} to "
        f"{100 * gain.difference.high:+.1f}), smallest of the seeds "
        f"{100 * gain.smallest:+.1f}; permutation test over questions p = "
        f"{gain.p_questions:.2g}"
    )
    evidence += "." if gain.p_runs is None else f", over {gain.unit} p = {gain.p_runs:.2g}."
    if len(gain.by_base_model) > 1:
        each = ", ".join(f"{100 * value:+.1f}" for value in gain.by_base_model.values())
        evidence += (
            f" By base model {each}: reached on {_reaching(gain, threshold)} of "
            f"{len(gain.by_base_model)}."
        )
    if gain.missed:
        evidence += f" {gain.missed} of the runs began at a warm start that never met its rule."
    return ClaimVerdict(claim, wins(gain, threshold), evidence)


def _ending_evidence(arm: str, ending: ArmRapr | None, config: ClaimsConfig) -> str:
    if ending is None:
        return f"The arm {arm} was not run."
    count = len(ending.ended)
    runs = "the one run" if count == 1 else f"the {count} runs"
    if ending.distinct is not None and ending.distinct < count:
        runs += f" ({ending.distinct} of them distinct)"
    started = ", ".join(f"{rapr:.3f}" for rapr in dict.fromkeys(ending.started))
    evidence = (
        f"Arm {arm}: RaPR of {runs} ends at "
        f"{', '.join(f'{rapr:.3f}' for rapr in ending.ended)}; it started at {started}."
    )
    if arm != NO_WARM_START and max(ending.started) < config.trapped:
        evidence += f" No start was above {config.trapped:g}: there was nothing to give up."
    if ending.missed:
        evidence += f" {ending.missed} began at a warm start that never met its rule."
    return evidence


def _by_base_model(
    ending: ArmRapr,
    holds: Callable[[Sequence[float], ClaimsConfig], Status],
    config: ClaimsConfig,
) -> str:
    """On how many base models the claim holds, if there are several."""
    found = _held_by(ending, holds, config)
    if len(found) < 2:
        return ""
    return f" Holds on {sum(found.values())} of {len(found)} base models."


def _held_by(
    ending: ArmRapr,
    holds: Callable[[Sequence[float], ClaimsConfig], Status],
    config: ClaimsConfig,
) -> dict[int, bool]:
    """Whether each base model's runs show the claim, by its seed."""
    pairs = list(zip(ending.base_models, ending.ended, strict=True))
    return {
        seed: holds([rapr for at, rapr in pairs if at == seed], config) == "shown"
        for seed in sorted(set(ending.base_models))
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _span(interval: Interval) -> str:
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"
