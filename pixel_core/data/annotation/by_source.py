"""Annotations by the source's own cues."""

from __future__ import annotations

from pixel_core.errors import DataError
from pixel_core.records import Annotation, Cue, FrameCue, Seed

AUTHOR = "source"


def annotation_by_source(seed: Seed) -> Annotation:
    """The seed's own cue. ``DataError`` for one outside what is shown: a source's bug."""
    cue = seed.cue
    if isinstance(cue, FrameCue) and cue.frames[-1] >= len(seed.pictures):
        raise DataError(
            f"seed {seed.id}: its cue has frame {cue.frames[-1]}, the video has "
            f"{len(seed.pictures)} (counted from 0); mend the source"
        )
    if isinstance(cue, Cue):
        if cue.picture >= len(seed.pictures):
            raise DataError(
                f"seed {seed.id}: its cue is in picture {cue.picture}, it has "
                f"{len(seed.pictures)} (counted from 0); mend the source"
            )
        picture = seed.pictures[cue.picture]
        if cue.box.x2 > picture.width or cue.box.y2 > picture.height:
            raise DataError(
                f"seed {seed.id}: its cue {cue.box.as_tuple()} reaches outside the picture "
                f"of {picture.width}x{picture.height} pixels; mend the source"
            )
    return Annotation(seed=seed, cue=cue, author=AUTHOR)
