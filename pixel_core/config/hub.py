"""A dataset by name, or a local copy of it."""

from __future__ import annotations

from typing import Annotated

from pixel_core.config.manifest import SplitShares
from pixel_core.config.section import Placement, Section


class HubConfig(Section):
    """Read through ``datasets``; ``HF_ENDPOINT`` is honoured."""

    #: Such as "TIGER-Lab/PixelReasoner-RL-Data".
    name: str = ""
    #: A commit: a branch would make another dataset of the same settings.
    revision: str = ""
    #: A folder that holds a copy of the dataset's files; then nothing is fetched.
    local: Annotated[str, Placement()] = ""
    splits: SplitShares = SplitShares()
    licence: str = ""
