"""The section ``annotate``: who says where the evidence is, and what may be paid for it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from pixel_core.config.section import Count, Placement, Positive, Rate, Section, Share, Weight

#: A number on a command line is accepted as a version's name.
Version = Annotated[str, BeforeValidator(lambda v: str(v) if isinstance(v, int) else v)]


class PromptVersions(Section):
    """The prompts of each thing that is asked. Raising one asks only that again."""

    locate: Version = "1"
    propose: Version = "1"
    look: Version = "1"


class VerifyConfig(Section):
    """The second look: the answer is read again from the crop, and from the whole picture."""

    #: Answers per view, of which the majority counts; 0: no second look.
    votes: Count = 1
    #: The whole picture, shrunk to this many pixels: what a model sees before it zooms. Set
    #: it to ``dialogue.picture.max_pixels`` of the model to be trained. A video's frames get
    #: a quarter each.
    whole_pixels: Positive = 512 * 28 * 28

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if self.votes and self.votes % 2 == 0:
            raise ValueError(f"votes {self.votes} can tie: give an odd number, or 0 for none")
        return self

    def idle_fields(self) -> frozenset[str]:
        return frozenset() if self.votes else frozenset({"whole_pixels"})


class TokenPrices(Section):
    """US dollars for a million tokens; gpt-4o's list price by default."""

    prompt: Weight = 2.5
    cached_prompt: Weight = 1.25
    completion: Weight = 10.0
    #: Price factor of the Batch API.
    batch_share: Annotated[float, Field(gt=0, le=1)] = 0.5


class BatchConfig(Section):
    """The Batch API: cheaper, within a day."""

    max_requests: Positive = 5_000
    max_bytes: Positive = 100_000_000
    poll_s: Rate = 30.0


class OpenAIConfig(Section):
    """A vision model behind an OpenAI-compatible endpoint. The key stays in the environment."""

    model: str = "gpt-4o-2024-11-20"
    prompts: PromptVersions = PromptVersions()
    #: Pixel limit of a picture, or a crop of it, as sent; a quarter for each frame of a video.
    max_picture_pixels: Positive = 2000 * 28 * 28
    verify: VerifyConfig = VerifyConfig()
    #: Seed for shuffling the choices.
    seed: int = 0
    mode: Annotated[Literal["live", "batch"], Placement()] = "live"
    base_url: Annotated[str, Placement()] = "https://api.openai.com/v1"
    api_key_env: Annotated[str, Placement()] = "OPENAI_API_KEY"
    timeout_s: Annotated[Rate, Placement()] = 60.0
    max_retries: Annotated[Count, Placement()] = 4
    #: Total seconds that a request may wait while the endpoint is rate limiting (HTTP 429); a
    #: longer wait requested by the endpoint ends the run.
    max_wait_s: Annotated[Weight, Placement()] = 1800.0
    #: Parameters not to send; an endpoint that refuses one is handled without this setting too.
    omit: Annotated[tuple[Literal["temperature"], ...], Placement()] = ()
    concurrency: Annotated[Positive, Placement()] = 8
    #: 0: as many as the endpoint allows.
    requests_per_minute: Annotated[Count, Placement()] = 0
    tokens_per_minute: Annotated[Count, Placement()] = 0
    batch: Annotated[BatchConfig, Placement()] = BatchConfig()
    prices: Annotated[TokenPrices, Placement()] = TokenPrices()
    #: Share of the train seeds that may be dropped for lack of a usable answer before the run
    #: stops. Seeds rejected by the model or the second look don't count.
    #: None: half, once more than ten are dropped; fewer say little about an endpoint.
    max_dropped_share: Annotated[Share | None, Placement()] = None
    #: Limit of what all answers of a run may cost; None: no limit.
    budget_usd: Annotated[Weight | None, Placement()] = None


class AnnotateConfig(Section):
    by: Literal["source", "openai"] = "source"
    openai: OpenAIConfig = OpenAIConfig()

    def idle_fields(self) -> frozenset[str]:
        return frozenset() if self.by == "openai" else frozenset({"openai"})
