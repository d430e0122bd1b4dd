"""The section ``ingest.imported``: questions that bring their trajectories with them."""

from __future__ import annotations

from typing import Annotated

from pixel_core.config.section import Placement, Section


class ImportedConfig(Section):
    """What ``pixel import`` made of somebody's trajectories."""

    path: Annotated[str, Placement()] = ""
