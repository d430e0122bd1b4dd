"""The section ``synthesize``: which trajectories are written, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pixel_core.config.section import Section, Weight, Weights


class KindShares(Weights):
    """Weights of the trajectory kinds for seeds with a cue. The paper's image shares are
    30/20/20/30 over the last four; ``direct`` stands beside them."""

    direct: Weight = 0.27
    single_pass: Weight = 0.3
    recrop_once: Weight = 0.2
    recrop_twice: Weight = 0.2
    further_zoom: Weight = 0.3


class VideoKindShares(Weights):
    """The same for videos with known frames. The paper's shares are 90/10."""

    direct: Weight = 0.0
    single_pass: Weight = 0.9
    reselect: Weight = 0.1


class SynthesizeConfig(Section):
    kinds: KindShares = KindShares()
    video_kinds: VideoKindShares = VideoKindShares()
    #: ``plain`` has the paper's full sentences; ``terse`` is for the tiny model.
    templates: Literal["plain", "terse"] = "plain"
    #: The margin around a cue before it is zoomed into, as a share of the cue's side.
    margin: Annotated[float, Field(ge=0)] = 0.1
    #: Seeds with an easy second look (the whole is enough to answer): treated as all others, a
    #: direct answer, or no trajectory. The paper wants operations where they are needed.
    easy: Literal["same", "direct", "drop"] = "same"
    #: Least ratio of a too-large box's area to the cue's.
    too_large: Annotated[float, Field(gt=1)] = 4.0
    seed: int = 0
