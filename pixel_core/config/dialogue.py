"""What the model sees and may do: the contract between model and episode."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pixel_core.config.section import Count, Positive, Section


class PixelBudget(Section):
    """Pixels of a picture after resizing, both ends included (a visual token is 28x28)."""

    min_pixels: Positive = 4 * 28 * 28
    max_pixels: Positive = 2000 * 28 * 28

    @model_validator(mode="after")
    def _ordered(self) -> PixelBudget:
        if self.min_pixels > self.max_pixels:
            raise ValueError(
                f"min_pixels {self.min_pixels} is above max_pixels {self.max_pixels}"
            )
        return self


class ZoomConfig(Section):
    """The zoom operation, as the schema states it and as it is executed."""

    name: str = "zoom_in"
    #: ``pixel``: integers in the shown picture; ``normalized``: numbers from 0 to 1.
    coordinates: Literal["pixel", "normalized"] = "normalized"
    #: Added on every side, as a share of the picture, then clamped to it.
    padding: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    #: The crop must be larger than this on both sides, in pixels of the original.
    min_side: Positive = 28


class DialogueConfig(Section):
    """The contract between model and episode; equal in every stage, so that they agree."""

    #: ``full`` lists the tools in a system turn; ``compact`` is for a model trained from
    #: nothing, which needs no description of what it was taught.
    prompt: Literal["full", "compact"] = "full"
    picture: PixelBudget = PixelBudget()
    crop: PixelBudget = PixelBudget(max_pixels=1000 * 28 * 28)
    zoom: ZoomConfig = ZoomConfig()
    max_operations: Count = 4
    max_pictures: Positive = 16
    max_new_tokens: Positive = 2048
    max_tokens: Positive = 12_000

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.max_tokens <= self.max_new_tokens:
            raise ValueError(
                f"max_tokens {self.max_tokens} leaves no room for a prompt beside a turn of "
                f"max_new_tokens {self.max_new_tokens}: every episode would end unasked"
            )
        return self


class SamplingConfig(Section):
    """The same in every turn of an episode. Temperature 0 is greedy."""

    temperature: Annotated[float, Field(ge=0)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
