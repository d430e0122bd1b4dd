"""A user's own questions in a manifest file, and how records without a split are placed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from pixel_core.config.section import Placement, Positive, Section, Share

#: The format of records: our own fields, or Pixel Reasoner's published files.
RecordFormat = Literal["plain", "pixel_reasoner_sft", "pixel_reasoner_rl"]

#: A split by name; "" splits records by id.
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

    #: The content, not the path, is part of the identity (see ``ingest.fingerprint``).
    path: Annotated[str, Placement()] = ""
    #: The folder (or zip) that the records' picture paths start from; "": the manifest's own
    #: folder. Files that are missing are looked up in zips directly in the folder.
    pictures: Annotated[str, Placement()] = ""
    format: RecordFormat = "plain"
    #: The split of records that name none, e.g. for a benchmark's file.
    split: SplitName = ""
    splits: SplitShares = SplitShares()
    max_picture_pixels: Positive = 100_000_000
    #: As stated by the publisher; copied into every seed's provenance.
    licence: str = ""
    revision: str = ""
