"""The section ``benchmarks``: which are answered, by whom, how, and how they are scored."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from pixel_core.config.cluster import PlaceConfig
from pixel_core.config.dialogue import DialogueConfig, PixelBudget, SamplingConfig
from pixel_core.config.engine import EndpointEngineConfig, EngineConfig
from pixel_core.config.section import Count, Placement, Positive, Section

BenchmarkName = Literal[
    "drawn",
    "vstar",
    "tallyqa_complex",
    "infographicsvqa",
    "mvbench",
    "hrbench_4k",
    "hrbench_8k",
]
ModelName = Literal["base", "warm_start", "policy"]

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ROW = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")


class BenchmarkDataConfig(Section):
    """Where one benchmark's questions come from, and how they are put."""

    #: ``own``: as its authors publish it; ``original``: Pixel Reasoner's evaluation parquets.
    layout: Literal["own", "original"] = "own"
    #: A dataset on the hub; "": its place of publication.
    name: str = ""
    #: A commit: with a branch, the same settings could mean another benchmark.
    revision: str = ""
    #: A folder with a copy of the published files; then nothing is downloaded.
    local: Annotated[str, Placement()] = ""
    #: Number of questions: the first of each kind, in proportion; 0: all.
    limit: Count = 0
    #: Seed of the order of each question's options; None: as published.
    shuffle_seed: int | None = None
    #: Frames taken evenly from a video, or from the part that the question is about.
    frames: Positive = 16
    #: Continue if counts differ from the published ones; shown wherever the score is.
    incomplete: bool = False

    @field_validator("revision")
    @classmethod
    def _pinned(cls, revision: str) -> str:
        if revision and not _COMMIT.fullmatch(revision):
            raise ValueError(
                f"revision {revision!r} is no commit, and a branch or tag may move: give 40 "
                "hexadecimal digits"
            )
        return revision


class BenchmarkAnswersConfig(Section):
    """How models answer benchmarks. What is None is as in training (``dialogue``)."""

    #: Budget of a question's picture. The paper evaluates with 512 to 5,120 visual tokens.
    picture: PixelBudget | None = None
    crop: PixelBudget | None = None
    #: Budgets of a video's frame as shown, and as selected.
    frame: PixelBudget | None = None
    selected: PixelBudget | None = None
    max_operations: Count | None = None
    max_new_tokens: Positive | None = None
    max_tokens: Positive | None = None
    #: Temperature 0: greedy, as in the paper.
    sampling: SamplingConfig = SamplingConfig(temperature=0.0)
    #: Answers per question.
    samples: Positive = 1
    seed: int = 0
    #: For each episode with an operation, sample another answer without the operation's result:
    #: is the crop read at all?
    probe: bool = False
    #: Questions answered and stored together.
    chunk: Positive = 50
    engine: EngineConfig = EngineConfig()
    place: Annotated[PlaceConfig, Placement()] = PlaceConfig()

    @model_validator(mode="after")
    def _drawn(self) -> Self:
        if self.sampling.temperature == 0 and self.samples > 1:
            raise ValueError(
                f"samples {self.samples} at temperature 0 would be {self.samples} times the "
                "same answer: set benchmarks.answers.sampling.temperature, or samples to 1"
            )
        if self.probe and self.engine.kind == "endpoint":
            raise ValueError(
                "probe goes on from the middle of a turn, which an endpoint can't: set it to "
                "false, or engine.kind to another engine"
            )
        return self

    def idle_fields(self) -> frozenset[str]:
        idle = {"engine"} if self.engine.kind == "embedded" else set()
        # Greedy answers use no random stream.
        return frozenset(idle | (set() if self.sampling.temperature else {"seed"}))

    def dialogue(self, trained: DialogueConfig, *, operations: bool) -> DialogueConfig:
        """The dialogue of evaluation: the trained one under these settings.

        Raises pydantic's ``ValidationError`` where they contradict it; of a whole profile
        that was seen to.
        """
        named = ("picture", "crop", "max_operations", "max_new_tokens", "max_tokens")
        changes = {name: getattr(self, name) for name in named}
        frames = {
            name: getattr(self, name).model_dump()
            for name in ("frame", "selected")
            if getattr(self, name) is not None
        }
        values = trained.model_dump()
        values |= {
            name: value.model_dump() if isinstance(value, Section) else value
            for name, value in changes.items()
            if value is not None
        }
        values["frames"] = {**values["frames"], **frames}
        values["operations"] = "offered" if operations else "none"
        return DialogueConfig.model_validate(values)


class BenchmarkScoringConfig(Section):
    #: ``published``: each benchmark's own definition; ``upstream_code``: the original's matcher
    #: with its faults, to compare with its numbers; ``strict``: the rule of our rewards.
    graders: Literal["published", "upstream_code", "strict"] = "published"
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    resamples: Positive = 2000
    seed: int = 0


class BenchmarksConfig(Section):
    #: In the order they are answered and shown; (): none.
    names: tuple[BenchmarkName, ...] = ()
    models: Annotated[tuple[ModelName, ...], Field(min_length=1)] = ("policy",)
    #: Also run each model without operations: tool gain and tool harm need it.
    notool: bool = False
    #: Models behind endpoints, as further rows; by the row's name.
    endpoints: dict[str, EndpointEngineConfig] = Field(default_factory=dict)
    answers: BenchmarkAnswersConfig = BenchmarkAnswersConfig()
    scoring: BenchmarkScoringConfig = BenchmarkScoringConfig()
    #: Questions shown in full on the page for each pair of rows: won, and lost.
    examples: Count = 4

    drawn: BenchmarkDataConfig = BenchmarkDataConfig()
    vstar: BenchmarkDataConfig = BenchmarkDataConfig()
    tallyqa_complex: BenchmarkDataConfig = BenchmarkDataConfig()
    infographicsvqa: BenchmarkDataConfig = BenchmarkDataConfig()
    mvbench: BenchmarkDataConfig = BenchmarkDataConfig()
    hrbench_4k: BenchmarkDataConfig = BenchmarkDataConfig()
    hrbench_8k: BenchmarkDataConfig = BenchmarkDataConfig()

    @field_validator("names", "models", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """One name, or names with commas, as one types them on a command line."""
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for what, names in (("names", self.names), ("models", self.models)):
            if len(set(names)) < len(names):
                raise ValueError(f"{what} {names} names one twice: name each once")
        for name, endpoint in self.endpoints.items():
            if not _ROW.fullmatch(name) or name in get_args(ModelName) or "notool" in name:
                raise ValueError(
                    f"endpoints.{name}: a row's name is small letters and digits joined by "
                    "single '_', and not one of the pipeline's models"
                )
            if not (endpoint.base_url and endpoint.model):
                raise ValueError(f"endpoints.{name} needs base_url and model")
        return self
