"""The sections ``ingest``, ``annotate`` and ``synthesize``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pixel_core.config.section import (
    Count,
    Placement,
    Positive,
    Rate,
    Section,
    Share,
    Weight,
    Weights,
)


class QuestionShares(Weights):
    """How often each question kind is asked in the drawn world; weights, not shares."""

    digit: Weight = 0.6
    count: Weight = 0.15
    exists: Weight = 0.25


class WorldConfig(Section):
    """The drawn visual-search world: coloured cards on a grid, a digit on each."""

    side: Positive = 448
    grid: Positive = 4
    card: Positive = 64
    jitter: Count = 4
    min_cards: Positive = 3
    max_cards: Annotated[int, Field(gt=0, le=8)] = 6
    #: Pixels of the picture a glyph cell (of 5x7) takes.
    small_glyph: Positive = 2
    big_glyph: Positive = 7
    big_share: Share = 0.5
    questions: QuestionShares = QuestionShares()


class DrawnConfig(Section):
    world: WorldConfig = WorldConfig()
    train: Positive = 3000
    validation: Positive = 200
    test: Positive = 500
    seed: int = 0


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


class IngestConfig(Section):
    source: Literal["drawn", "manifest"] = "drawn"
    drawn: DrawnConfig = DrawnConfig()
    manifest: ManifestConfig = ManifestConfig()

    def idle_fields(self) -> frozenset[str]:
        return frozenset({"drawn", "manifest"} - {self.source})


class OpenAIConfig(Section):
    """A vision model behind an OpenAI-compatible endpoint. The key stays in the environment."""

    model: str = "gpt-4o-2024-11-20"
    prompt_version: str = "1"
    max_picture_pixels: Positive = 2000 * 28 * 28
    base_url: Annotated[str, Placement()] = "https://api.openai.com/v1"
    api_key_env: Annotated[str, Placement()] = "OPENAI_API_KEY"
    timeout_s: Annotated[Rate, Placement()] = 60.0
    max_retries: Annotated[Count, Placement()] = 4
    concurrency: Annotated[Positive, Placement()] = 8


class AnnotateConfig(Section):
    by: Literal["source", "openai"] = "source"
    openai: OpenAIConfig = OpenAIConfig()

    def idle_fields(self) -> frozenset[str]:
        return frozenset() if self.by == "openai" else frozenset({"openai"})


class KindShares(Weights):
    """Weights of the trajectory kinds for seeds with a cue. The paper's image shares are
    30/20/20/30 over the last four; ``direct`` stands beside them."""

    direct: Weight = 0.27
    single_pass: Weight = 0.3
    recrop_once: Weight = 0.2
    recrop_twice: Weight = 0.2
    further_zoom: Weight = 0.3


class SynthesizeConfig(Section):
    kinds: KindShares = KindShares()
    #: ``plain`` has the paper's full sentences; ``terse`` is for the tiny model.
    templates: Literal["plain", "terse"] = "plain"
    #: The margin put around a cue before it is asked for, as a share of the cue's side.
    margin: Annotated[float, Field(ge=0)] = 0.1
    #: How many times the cue's area a too-large box covers, at least.
    too_large: Annotated[float, Field(gt=1)] = 4.0
    seed: int = 0
