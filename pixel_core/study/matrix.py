"""The study's cells: every arm with every warm-start seed and every RL seed.

A cell is the ordinary pipeline under a configuration of its own: the profile, then the arm's
overrides, then its seeds. Everything that can be wrong with one is found here, before
anything starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pixel_core.config.pipeline import PipelineConfig
from pixel_core.errors import ConfigError
from pixel_core.profile import load_profile

#: What an arm may change. The others would leave arms with different questions to answer
#: (``ingest``, ``answers``), or would shape no cell at all.
ARM_SECTIONS = ("dialogue", "annotate", "synthesize", "base_model", "text_only", "sft", "rl")


@dataclass(frozen=True, eq=False)
class Cell:
    """One run of the matrix, and the configuration that makes it."""

    arm: str
    warm_start_seed: int
    rl_seed: int
    config: PipelineConfig

    def __str__(self) -> str:
        return f"{self.arm}, warm start {self.warm_start_seed}, seed {self.rl_seed}"


@dataclass(frozen=True)
class Matrix:
    """``config`` is the profile's, with ``study.arms`` reduced to the arms that are run."""

    config: PipelineConfig
    #: Seeds outermost, arms innermost: pairs that are compared come next to one another.
    cells: tuple[Cell, ...]


def build_matrix(
    profile: str, overrides: Sequence[str] = (), only: Sequence[str] = ()
) -> Matrix:
    """The cells of a profile's study; ``only`` names the arms wanted, all when empty.

    Raises ``ConfigError`` for a profile without arms, an arm there is none of, and an
    override or seed field that does not exist, is refused, or changes nothing.
    """
    config = load_profile(profile, overrides)
    study = config.study
    if not study.arms:
        raise ConfigError(
            f"profile {profile!r} has no arms to compare; give it [study.arms.NAME] tables, "
            "or choose the profile learning_trap"
        )
    for name in only:
        if name not in study.arms:
            raise ConfigError(f"there is no arm {name!r}; the arms are {', '.join(study.arms)}")
    arms = {name: arm for name, arm in study.arms.items() if not only or name in only}
    for name, arm in arms.items():
        for override in arm.overrides:
            _check_override(name, override, (*study.warm_start_fields, *study.rl_fields))
        _load(profile, (*overrides, *arm.overrides), f"arm {name!r}")
    cells = []
    for warm_start_seed in study.warm_start_seeds:
        for rl_seed in study.rl_seeds:
            seeds = (
                *(f"{field}={warm_start_seed}" for field in study.warm_start_fields),
                *(f"{field}={rl_seed}" for field in study.rl_fields),
            )
            for name, arm in arms.items():
                laid = (*overrides, *arm.overrides, *seeds)
                cells.append(
                    Cell(
                        arm=name,
                        warm_start_seed=warm_start_seed,
                        rl_seed=rl_seed,
                        config=_load(profile, laid, "study.warm_start_fields, study.rl_fields"),
                    )
                )
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
