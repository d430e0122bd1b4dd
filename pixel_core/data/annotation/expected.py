"""What a seed's annotation will ask if all goes well: for predicting its price."""

from __future__ import annotations

import math

from pixel_core.config import OpenAIConfig
from pixel_core.data.annotation import views
from pixel_core.data.annotation.locate import locate_request
from pixel_core.data.annotation.places import SMALL
from pixel_core.data.annotation.propose import propose_request
from pixel_core.data.annotation.requests import AnnotationRequest
from pixel_core.data.annotation.verify import look_request
from pixel_core.records import Box, Cue, FrameCue, Seed

#: Frames that hold a video's evidence, when nobody knows yet.
_FRAMES = 4


def expected_requests(seed: Seed, config: OpenAIConfig) -> tuple[AnnotationRequest, ...]:
    """The first request exactly; the looks as they are if nothing is asked again.

    Where the cue is still to be found, the looks stand for requests of their size: their
    digests are not those that will be sent. Votes that a majority may spare are counted.
    """
    first = locate_request(seed, config) if seed.asks else propose_request(seed, config)
    if not config.verify.votes:
        return (first,)
    cue = seed.cue or _some_cue(seed)
    return (
        first,
        *(
            look_request(seed, shown, config, vote)
            for shown in (
                views.cue_alone(seed, cue, config.max_picture_pixels),
                views.whole(seed, config.verify.whole_pixels),
            )
            for vote in range(config.verify.votes)
        ),
    )


def _some_cue(seed: Seed) -> Cue | FrameCue:
    if seed.is_video:
        return FrameCue(frames=tuple(range(min(_FRAMES, len(seed.pictures)))))
    picture = seed.pictures[0]
    side = math.sqrt(SMALL)
    return Cue(
        box=Box(
            x1=0,
            y1=0,
            x2=max(1, round(picture.width * side)),
            y2=max(1, round(picture.height * side)),
        )
    )
