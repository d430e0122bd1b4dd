"""A folder of high-resolution pictures without questions."""

from __future__ import annotations

from typing import Annotated

from pixel_core.config.section import Count, Placement, Positive, Section


class PhotosConfig(Section):
    """All are train seeds: what an annotator asks about them is no benchmark."""

    #: A folder, local or ``s3://``; the content, not the path, is part of the identity.
    path: Annotated[str, Placement()] = ""
    #: Smaller pictures are left out and counted: little in them needs a closer look.
    min_pixels: Count = 1_000_000
    max_picture_pixels: Positive = 100_000_000
    #: As stated by the publisher; copied into every seed's provenance.
    licence: str = ""
    revision: str = ""
