"""What a run is asked for, in plain values; checked before any work or server starts."""

from __future__ import annotations

import os
from dataclasses import dataclass

from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.errors import ConfigError
from pixel_core.workflow.cluster.layout import check_layout
from pixel_core.workflow.planning import Decision, forced_stages, plan, stages_until
from pixel_core.workflow.store import Store
from pixel_core.workflow.table import stages_of

#: What would happen to each stage, with what that was decided from.
Plan = tuple[PipelineConfig, Store, list[Decision]]


@dataclass(frozen=True)
class RunRequest:
    """The flow's parameters; the fields' names are the command line's."""

    profile: str = "tiny"
    overrides: tuple[str, ...] = ()
    #: Where artifacts are; None: ``PIXEL_STORE``, else the profile's ``runtime.store``.
    store: str | None = None
    force_from: str | None = None
    until: str | None = None
    #: Every byte of every artifact is read, whatever is known of it.
    verify: bool = False

    def config(self) -> PipelineConfig:
        """The profile. Refuses stages it has none of, and a forced one that would not be
        reached (``ConfigError``)."""
        config = load_profile(self.profile, self.overrides)
        stages = stages_of(config)
        forced_stages(self.force_from, stages)
        wanted = [stage.name for stage in stages_until(self.until, stages)]
        if self.force_from is not None and self.force_from not in wanted:
            raise ConfigError(
                f"--from {self.force_from} forces a stage that --until {self.until} does not "
                f"need; choose one of {', '.join(wanted)}"
            )
        return config

    def open_store(self, config: PipelineConfig) -> Store:
        place = self.store or os.environ.get("PIXEL_STORE") or config.runtime.store
        return Store.open(place, read_all=self.verify)

    def plan(self) -> Plan:
        """Reuse or run for each stage; raises every error that bad input can cause."""
        config = self.config()
        stages = stages_of(config)
        wanted = stages_until(self.until, stages)
        check_layout([stage for stage in wanted if stage.place(config).on == "ray"], config)
        store = self.open_store(config)
        decisions = plan(
            config, store, force_from=self.force_from, until=self.until, stages=stages
        )
        return config, store, decisions
