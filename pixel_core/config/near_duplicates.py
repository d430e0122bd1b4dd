"""Near-duplicate pictures: how alike two must be to be kept out of different splits."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pixel_core.config.section import Positive, Section


class NearDuplicatesConfig(Section):
    """``data/sources/near_duplicates.py`` has the rule."""

    enabled: bool = True
    #: Bits, of the 256 of a picture's hash, in which two near-duplicates may differ. Higher is
    #: slower to search; unrelated text pages differ in about 70 and more.
    distance: Annotated[int, Field(ge=0, le=32)] = 24
    #: Frames of a video that are compared, at the centres of equal parts.
    video_frames: Positive = 4

    def idle_fields(self) -> frozenset[str]:
        return frozenset() if self.enabled else frozenset({"distance", "video_frames"})
