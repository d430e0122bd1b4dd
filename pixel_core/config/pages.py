"""A folder of HTML or Markdown pages, rendered to pictures."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pixel_core.config.manifest import SplitShares
from pixel_core.config.section import Placement, Section


class PagesConfig(Section):
    """Pages beside ``questions.jsonl``: records that name a page, a question, its answer."""

    #: A folder, local or ``s3://``; the content, not the path, is part of the identity.
    path: Annotated[str, Placement()] = ""
    #: The viewport's width in CSS pixels; the height follows from the page.
    width: Annotated[int, Field(ge=64, le=4096)] = 1280
    splits: SplitShares = SplitShares()
    licence: str = ""
    revision: str = ""
