"""Video files with a question, an answer and a window of time."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from pixel_core.config.manifest import SplitShares
from pixel_core.config.section import Placement, Positive, Section

#: Frames of one question. So many of 128 visual tokens, a selection of eight and a turn
#: still fit into an episode of 12,000 tokens, as ``dialogue`` sets it.
MAX_FRAMES = 48


class VideosConfig(Section):
    """A folder of video files beside ``questions.jsonl``."""

    #: A folder, local or ``s3://``; its content is part of the identity, not its place.
    path: Annotated[str, Placement()] = ""
    #: Evenly spaced over the video, as in the paper; the window's own frames come on top.
    frames: Positive = 16
    #: As many frames a question's window holds at least, where the video has them.
    window_frames: Positive = 4
    #: Of frames as they are stored; 95 cannot be told from the decoded frame by eye.
    jpeg_quality: Annotated[int, Field(ge=50, le=100)] = 95
    splits: SplitShares = SplitShares()
    licence: str = ""
    revision: str = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.frames + self.window_frames > MAX_FRAMES:
            raise ValueError(
                f"frames {self.frames} and window_frames {self.window_frames} make more than "
                f"the {MAX_FRAMES} frames that an episode can show: lower one"
            )
        return self
