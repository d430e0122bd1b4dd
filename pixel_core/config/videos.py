"""Video files with a question, an answer and a window of time."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from pixel_core.config.manifest import SplitShares
from pixel_core.config.section import Placement, Positive, Section

#: Frames per question. This many at 128 visual tokens each, a selection of eight and a turn
#: still fit into an episode of 12,000 tokens, the limit in ``dialogue``.
MAX_FRAMES = 48


class VideosConfig(Section):
    """A folder of video files beside ``questions.jsonl``."""

    #: A folder, local or ``s3://``; the content, not the path, is part of the identity.
    path: Annotated[str, Placement()] = ""
    #: Evenly spaced over the video, as in the paper; the window's own frames are extra.
    frames: Positive = 16
    #: Least number of frames in a question's window, if the video has them.
    window_frames: Positive = 4
    #: Of stored frames; at 95 no difference from the decoded frame is visible.
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
