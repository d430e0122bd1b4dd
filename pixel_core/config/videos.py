"""Video files with a question, an answer and a window of time."""

from __future__ import annotations

from typing import Annotated

from pixel_core.config.manifest import SplitShares
from pixel_core.config.section import Placement, Positive, Section


class VideosConfig(Section):
    """A folder of video files beside ``questions.jsonl``."""

    #: A folder, local or ``s3://``; its content is part of the identity, not its place.
    path: Annotated[str, Placement()] = ""
    #: Evenly spaced over the video, as in the paper; the window's own frames come on top.
    frames: Positive = 16
    splits: SplitShares = SplitShares()
    licence: str = ""
    revision: str = ""
