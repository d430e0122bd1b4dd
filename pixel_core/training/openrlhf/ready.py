"""What would stop an OpenRLHF run, told before the first stage runs. Imports nothing heavy."""

from __future__ import annotations

from pixel_core.config import PipelineConfig, RlConfig
from pixel_core.config.rl import layout_rules
from pixel_core.errors import ConfigError


def check(config: PipelineConfig) -> None:
    """Raise ``ConfigError`` with every rule that the layout of ``rl`` breaks."""
    if config.rl.backend == "openrlhf":
        check_layout(config.rl)


def check_layout(rl: RlConfig) -> None:
    broken = layout_rules(rl)
    if broken:
        raise ConfigError("OpenRLHF's layout can't work:\n  " + "\n  ".join(broken))
