"""A user's own questions in a manifest file, and how records without a split are placed."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from pixel_core.config.section import Placement, Positive, Section, Share


class SplitShares(Section):
    """Shares for records that name no split; a record's place follows from its id."""

    validation: Share = 0.1
    test: Share = 0.2

    @model_validator(mode="after")
    def _rest(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation {self.validation} and test {self.test} leave nothing to train on"
            )
        return self


class ManifestConfig(Section):
    """A JSONL or Parquet file of questions beside a folder of pictures."""

    #: Its content, not its place, is part of the identity (see ``seeds.fingerprint``).
    path: Annotated[str, Placement()] = ""
    #: The folder the records' picture paths start from; "" is the manifest's own.
    pictures: Annotated[str, Placement()] = ""
    splits: SplitShares = SplitShares()
    max_picture_pixels: Positive = 100_000_000
