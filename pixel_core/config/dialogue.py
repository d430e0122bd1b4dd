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
    #: Margin on every side, as a share of the picture, then clamped to it.
    padding: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    #: The crop must be larger than this on both sides, in pixels of the original.
    min_side: Positive = 28


class FramesConfig(Section):
    """Videos: their frames as shown, and the operation that shows some of them larger.

    The original lets a frame take 512 visual tokens and a selected one 400 in training;
    with that a selected frame shows nothing new, so frames are shown smaller here.
    """

    #: Whether the operation is offered; the frames of a video are shown either way.
    enabled: bool = True
    name: str = "select_frames"
    #: Limit per call.
    max_frames: Positive = 8
    frame: PixelBudget = PixelBudget(max_pixels=128 * 28 * 28)
    selected: PixelBudget = PixelBudget(max_pixels=400 * 28 * 28)

    @model_validator(mode="after")
    def _larger(self) -> Self:
        if self.enabled and self.selected.max_pixels < self.frame.max_pixels:
            raise ValueError(
                f"selected.max_pixels {self.selected.max_pixels} is below frame.max_pixels "
                f"{self.frame.max_pixels}: selecting a frame would show less of it"
            )
        return self


class DialogueConfig(Section):
    """The contract between model and episode; equal in every stage, so that they agree."""

    #: ``full`` lists the tools in a system turn; ``compact`` is for a model trained from
    #: scratch, which needs no description of what it was taught.
    prompt: Literal["full", "compact"] = "full"
    #: ``none``: the prompt mentions no operation and calls are refused, for the baseline.
    operations: Literal["offered", "none"] = "offered"
    picture: PixelBudget = PixelBudget()
    crop: PixelBudget = PixelBudget(max_pixels=1000 * 28 * 28)
    zoom: ZoomConfig = ZoomConfig()
    frames: FramesConfig = FramesConfig()
    max_operations: Count = 4
    #: Limit of pictures shown; a video counts as one, whatever its number of frames.
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
        if self.frames.enabled and self.frames.name == self.zoom.name:
            raise ValueError(
                f"zoom and frames are both named {self.zoom.name!r}: a call would be ambiguous"
            )
        return self

    def idle_fields(self) -> frozenset[str]:
        # Left out at their defaults, so that keys from before videos, or before the choice to
        # offer no operations, stay valid.
        idle = {"frames"} if self.frames == FramesConfig() else set()
        return frozenset(idle | ({"operations"} if self.operations == "offered" else set()))


class SamplingConfig(Section):
    """The same in every turn of an episode. Temperature 0, or next to it, is greedy."""

    temperature: Annotated[float, Field(ge=0)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
