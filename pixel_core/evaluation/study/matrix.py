"""The study's cells: every arm with every base-model, warm-start and RL seed.

A cell is the ordinary pipeline with its own configuration: the profile, then the arm's
overrides, then its seeds. All configuration errors are found here, before anything starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from pixel_core.config.pipeline import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.errors import ConfigError

#: Sections an arm may change. Others would give arms different questions to answer
#: (``ingest``, ``answers``), or would not affect any cell.
ARM_SECTIONS = ("dialogue", "annotate", "synthesize", "base_model", "text_only", "sft", "rl")


class CellSeeds(NamedTuple):
    """How the cells of one arm differ, from what they depend on to what is their own."""

    base_model: int
    warm_start: int
    rl: int

    def __str__(self) -> str:
        return f"base model {self.base_model}, warm start {self.warm_start}, seed {self.rl}"


@dataclass(frozen=True, eq=False)
class Cell:
    """One run of the matrix, and its configuration."""

    arm: str
    seeds: CellSeeds
    config: PipelineConfig

    def __str__(self) -> str:
        return f"{self.arm}, {self.seeds}"


@dataclass(frozen=True)
class Matrix:
    """``config`` is the profile's, with the arms and seeds of ``study`` reduced to those that
    run."""

    config: PipelineConfig
    #: Seeds outermost, arms innermost, so that compared pairs are adjacent.
    cells: tuple[Cell, ...]


def build_matrix(
    profile: str,
    overrides: Sequence[str] = (),
    only: Sequence[str] = (),
    *,
    quick: bool = False,
) -> Matrix:
    """The cells of a profile's study; ``only``: the wanted arms, all if empty; ``quick``: of
    its small form, whose cells are also in the full one.

    Raises ``ConfigError`` for a profile without arms or without a small form, an unknown arm,
    and an override or seed field that does not exist, is not allowed, or changes nothing.
    """
    config = load_profile(profile, overrides)
    study = config.study
    if not study.arms:
        raise ConfigError(
            f"profile {profile!r} has no arms to compare; give it [study.arms.NAME] tables, "
            "or choose the profile learning_trap"
        )
    if quick:
        try:
            study = study.narrowed()
        except ValueError as error:
            raise ConfigError(f"profile {profile!r}: {error}") from error
    for name in only:
        if name not in study.arms:
            where = " of the small study" if quick else ""
            raise ConfigError(
                f"there is no arm {name!r}; the arms{where} are {', '.join(study.arms)}"
            )
    arms = {name: arm for name, arm in study.arms.items() if not only or name in only}
    fields = (*study.base_model_fields, *study.warm_start_fields, *study.rl_fields)
    for name, arm in arms.items():
        for override in arm.overrides:
            _check_override(name, override, fields)
        _load(profile, (*overrides, *arm.overrides), f"arm {name!r}")
    cells = []
    for seeds in map(
        CellSeeds._make, product(study.base_model_seeds, study.warm_start_seeds, study.rl_seeds)
    ):
        set_by = (study.base_model_fields, study.warm_start_fields, study.rl_fields)
        own = [
            f"{field}={seed}"
            for names, seed in zip(set_by, seeds, strict=True)
            for field in names
        ]
        for name, arm in arms.items():
            config = _load(
                profile,
                (*overrides, *arm.overrides, *own),
                "study.base_model_fields, study.warm_start_fields, study.rl_fields",
            )
            cells.append(Cell(name, seeds, config))
    narrowed = study.model_copy(update={"arms": arms})
    return Matrix(config.model_copy(update={"study": narrowed}), tuple(cells))


def _check_override(arm: str, override: str, seeds: Sequence[str]) -> None:
    field = override.partition("=")[0].strip()
    if field in seeds:
        raise ConfigError(
            f"arm {arm!r}: {override!r} sets a field that the study's seeds set; leave it out"
        )
    if field.partition(".")[0] not in ARM_SECTIONS:
        raise ConfigError(
            f"arm {arm!r}: {override!r} can't differ between arms, which answer the same "
            f"questions; an arm may change {', '.join(ARM_SECTIONS)}"
        )


def _load(profile: str, overrides: Sequence[str], where: str) -> PipelineConfig:
    try:
        return load_profile(profile, overrides)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
