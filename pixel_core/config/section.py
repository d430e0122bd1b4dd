"""What every section of the configuration stands on: its base, its number types, and the
mark of fields that are not part of an artifact's identity."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Placement:
    """Marks a field that says where or how a stage runs, not what it makes."""


Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Momentum = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """Frozen; an unknown field is an error, never a silent no-op."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def idle_fields(self) -> frozenset[str]:
        """Fields that shape nothing under the present settings; left out of identities."""
        return frozenset()


class Weights(Section):
    """Weights that are not all 0: something must be drawn."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        names = type(self).model_fields
        if not any(getattr(self, name) for name in names):
            raise ValueError(f"all weights ({', '.join(names)}) are 0: raise at least one")
        return self
