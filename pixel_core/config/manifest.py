"""A user's own questions in a manifest file, and how records without a split are placed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from pixel_core.config.section import Placement, Positive, Section, Share

#: How records are written: in our own fields, or as Pixel Reasoner's published files are.
RecordFormat = Literal["plain", "pixel_reasoner_sft", "pixel_reasoner_rl"]

#: A split by name; "" leaves each record to its id.
SplitName = Literal["", "train", "validation", "test"]


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
    #: The folder (or the zip) the records' picture paths start from; "" is the manifest's
    #: own folder. Zips directly in the folder are looked into for what is not beside them.
    pictures: Annotated[str, Placement()] = ""
    format: RecordFormat = "plain"
    #: Of the records that name none, all of a benchmark's file for example.
    split: SplitName = ""
    splits: SplitShares = SplitShares()
    max_picture_pixels: Positive = 100_000_000
    #: As the publisher names them; they go into every seed's provenance.
    licence: str = ""
    revision: str = ""
