"""How long stages took where their times were measured, and whether this machine keeps up.

``profiles/measured/NAME.toml`` has, for a profile, the seconds of each stage and the machine
they were taken on; ``python -m bench.stage_times`` writes it from a finished run. They are said
of a stage only while its settings are the profile's own.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.resources import files

from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.workflow.stage import Progress, section_of
from pixel_core.workflow.table import BY_NAME
from tasks.pace import Pace, duration

#: Shorter stages are over before anyone wonders.
_WORTH_SAYING_S = 15.0
#: The speed of the first steps is a guess; after this long it is a measurement.
_TELLING_S = 10.0
#: How many times as long as measured is "much slower".
_MUCH = 1.8


@dataclass(frozen=True)
class MeasuredTimes:
    """Seconds of the stages that a run will make, and on what they were measured."""

    machine: str
    seconds: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def measured_times(config: PipelineConfig, to_run: Collection[str]) -> MeasuredTimes | None:
    """Of the stages to run those that were measured with these settings, in the place and
    with the workers that ``config`` asks for; None where there is none."""
    place = files("profiles").joinpath("measured", f"{config.name}.toml")
    if not place.is_file():
        return None
    values = tomllib.loads(place.read_text(encoding="utf-8"))
    reference = load_profile(config.name)
    if config.runtime.workers:
        return None
    seconds = {
        name: float(values["seconds"][name])
        for name in to_run
        if name in values["seconds"] and _same(name, config, reference)
    }
    return MeasuredTimes(values["machine"], seconds) if seconds else None


def _same(name: str, config: PipelineConfig, reference: PipelineConfig) -> bool:
    return all(
        section_of(config, section) == section_of(reference, section)
        for section in BY_NAME[name].sections
    )


class PacedProgress:
    """Passes progress on; says once that a stage is much slower here than was measured."""

    def __init__(
        self,
        stage: str,
        below: Progress,
        times: MeasuredTimes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._below = below
        self._times = times
        self._seconds = times.seconds[stage]
        self._clock = clock
        self._pace = Pace(clock)
        self._began: float | None = None
        self._told = self._seconds < _WORTH_SAYING_S
        if not self._told:
            below.note(f"about {duration(self._seconds)} on {times.machine}")

    def update(self, done: int, total: int, **metrics: float) -> None:
        self._below.update(done, total, **metrics)
        if self._told:
            return
        self._pace.update(done, total)
        now = self._clock()
        self._began = now if self._began is None else self._began
        rate = self._pace.rate()
        if rate is None or now - self._began < _TELLING_S:
            return
        self._told = True
        slower = total / rate / self._seconds
        if slower >= _MUCH:
            self._below.note(
                f"this machine is about {slower:.1f} times slower than that now (a slower CPU, "
                f"fewer cores, or other programs): about {duration(slower * self._seconds)} "
                f"for this stage, {duration(slower * self._times.total)} for the run"
            )

    def note(self, text: str) -> None:
        self._below.note(text)
