"""A dataset by name, or a local copy of it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pixel_core.config.manifest import RecordFormat, SplitName, SplitShares
from pixel_core.config.section import Placement, Positive, Section

_COMMIT = re.compile(r"[0-9a-f]{40}")

#: Fields of a record that can be mapped to a dataset's columns.
HubField = Literal[
    "id",
    "image",
    "images",
    "question",
    "answer",
    "answers",
    "choices",
    "box",
    "boxes",
    "is_video",
    "frames",
    "subject",
    "kind",
    "split",
]


class HubConfig(Section):
    """Read through ``datasets``; ``HF_ENDPOINT`` and ``HF_TOKEN`` are honoured."""

    #: Such as "TIGER-Lab/PixelReasoner-RL-Data".
    name: str = ""
    #: A commit: with a branch, the same settings could mean another dataset.
    revision: str = ""
    #: A folder with a copy of the dataset's files; then nothing is downloaded.
    local: Annotated[str, Placement()] = ""
    #: The configuration, if the dataset has several.
    subset: str = ""
    #: Their split -> the files that hold it ("data/train-*.parquet"); {}: as the dataset
    #: itself defines.
    files: dict[str, str] = Field(default_factory=dict)
    #: Patterns of the files to download; (): all files of the dataset.
    fetch: Annotated[tuple[str, ...], Placement()] = ()
    format: RecordFormat = "plain"
    #: Our field -> their column, nested ones with dots ("qa.question"); {}: the same names.
    #: Unnamed columns are not read. The original's formats need none.
    fields: dict[HubField, str] = Field(default_factory=dict)
    #: Their split -> ours ("" splits records by id); {}: all their splits, under the same
    #: names, ``validation`` also as ``val``, ``valid`` and ``dev``.
    from_splits: dict[str, SplitName] = Field(default_factory=dict)
    splits: SplitShares = SplitShares()
    #: Unusable records: report them all and stop, or count them and continue without.
    faulty: Literal["refuse", "leave_out"] = "refuse"
    max_picture_pixels: Positive = 100_000_000
    licence: str = ""

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        if self.revision and not _COMMIT.fullmatch(self.revision):
            raise ValueError(
                f"revision {self.revision!r} is no commit, and a branch or tag may move: give "
                "the 40 hexadecimal digits that `git ls-remote "
                f"https://huggingface.co/datasets/{self.name or 'NAME'}` shows beside it"
            )
        return self
