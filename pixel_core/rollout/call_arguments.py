"""What the arguments of every operation have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from pixel_core.rollout.call_syntax import CallErrorKind, quote, refuse


class Arguments(BaseModel):
    """Strict: no text as numbers, no booleans as numbers, no floats as integers."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def schema_of(model: type[Arguments]) -> dict[str, Any]:
    """The JSON schema of an operation's parameters, without what only we read."""
    parameters = model.model_json_schema()
    for name in ("title", "description"):
        parameters.pop(name, None)
    for part in parameters["properties"].values():
        del part["title"]
    return parameters


def first_fault(
    model: type[Arguments], arguments: dict[str, Any], form: str
) -> Arguments | ErrorDetails:
    """The validated arguments, or the first fault that the schema's validation met.

    ``form`` says how the call is written. Raises ``CallError`` for an argument that the
    operation does not have, and for one that is missing.
    """
    for argument in arguments:
        if argument not in model.model_fields:
            refuse(
                CallErrorKind.UNKNOWN_ARGUMENT,
                f"there is no argument {quote(argument)}: {form}",
            )
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
    if fault["type"] == "missing":
        refuse(CallErrorKind.MISSING_ARGUMENT, f'there is no "{fault["loc"][0]}": {form}')
    return fault
