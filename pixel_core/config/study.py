"""The section ``study``: which arms are compared, over which seeds, and what is claimed."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import Field, model_validator

from pixel_core.config.section import Count, Positive, Section, Share

_ARM_NAME = re.compile(r"[a-z][a-z0-9_]*")

Seeds = Annotated[tuple[Count, ...], Field(min_length=1)]
Fields = Annotated[tuple[str, ...], Field(min_length=1)]


class ArmConfig(Section):
    """One arm: the profile with ``overrides`` laid over it."""

    #: The purpose of the arm, as a sentence on the page.
    text: str = ""
    #: ``section.field=value``, as for ``--set``.
    overrides: tuple[str, ...] = ()


class ClaimsConfig(Section):
    """The thresholds of the claims; ``evaluation/study/claims.py`` has the rules."""

    #: RaPR below this: the operation is unused, the model is in the trap.
    trapped: Share = 0.05
    #: RaPR above this: the operation is in use.
    in_use: Share = 0.3
    #: Required accuracy gain from curiosity, over all questions and over the digit questions.
    gain: Share = 0.12
    digit_gain: Share = 0.25
    digit_kinds: Fields = ("digit_small", "digit_big")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.trapped >= self.in_use:
            raise ValueError(
                f"trapped {self.trapped} must be below in_use {self.in_use}: no run can be both"
            )
        return self


class QuickConfig(Section):
    """What ``--quick`` takes of the study, for readers with little time. Seeds are the first
    ones of the study's own, so that both share their cells."""

    arms: Fields
    base_models: Positive = 1
    #: Per base model.
    warm_starts: Positive = 1
    #: Per warm start and arm.
    rl_runs: Positive = 1


class Departure(Section):
    """A setting that is not the paper's, and why."""

    setting: str
    here: str
    paper: str
    why: str


class StudyConfig(Section):
    """Arms x base-model seeds x warm-start seeds x RL seeds; each cell is the pipeline under
    its own settings."""

    arms: dict[str, ArmConfig] = Field(default_factory=dict)
    base_model_seeds: Seeds = (0,)
    warm_start_seeds: Seeds = (0,)
    rl_seeds: Seeds = (0,)
    #: Fields set by each kind of seed. A base model that is not trained here has none.
    base_model_fields: tuple[str, ...] = ("base_model.seed",)
    warm_start_fields: Fields = ("synthesize.seed", "sft.seed")
    rl_fields: Fields = ("rl.seed",)
    claims: ClaimsConfig = ClaimsConfig()
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    resamples: Annotated[Positive, Field(ge=100)] = 2000
    seed: int = 0
    departures: tuple[Departure, ...] = ()
    #: None: the study has no quick form.
    quick: QuickConfig | None = None

    def idle_fields(self) -> frozenset[str]:
        # The selection is visible in the arms and seeds of the run.
        return frozenset({"quick"})

    def narrowed(self) -> StudyConfig:
        """The small form. Raises ``ValueError`` where there is none, or it names an arm that
        the study lacks."""
        quick = self.quick
        if quick is None:
            raise ValueError(
                "it has no small form: give it a table [study.quick] that names its arms, or "
                "leave --quick out"
            )
        if lacking := [name for name in quick.arms if name not in self.arms]:
            raise ValueError(
                f"study.quick.arms names {', '.join(lacking)}; the arms are "
                f"{', '.join(self.arms)}"
            )
        return self.model_copy(
            update={
                # In the study's order, which determines colours.
                "arms": {name: arm for name, arm in self.arms.items() if name in quick.arms},
                "base_model_seeds": self.base_model_seeds[: quick.base_models],
                "warm_start_seeds": self.warm_start_seeds[: quick.warm_starts],
                "rl_seeds": self.rl_seeds[: quick.rl_runs],
            }
        )

    @model_validator(mode="after")
    def _usable(self) -> Self:
        for name in self.arms:
            if not _ARM_NAME.fullmatch(name):
                raise ValueError(
                    f"arm {name!r}: a name is lowercase letters, digits and underscores"
                )
        for which in ("base_model_seeds", "warm_start_seeds", "rl_seeds"):
            seeds = getattr(self, which)
            if len(set(seeds)) < len(seeds):
                raise ValueError(f"{which} {list(seeds)} names a seed twice")
        if len(self.base_model_seeds) > 1 and not self.base_model_fields:
            raise ValueError(
                f"base_model_seeds {list(self.base_model_seeds)} set nothing: name the field "
                "in base_model_fields, or give one seed"
            )
        return self
