"""The body of a chat completion: the question, and how to answer it.

A parameter that would change the answer and can't be honoured is refused; one that would not
is accepted and listed in the reply (``ignored``). Nothing is dropped silently.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pixel_core.serving.http.admission import Limits
from pixel_core.serving.http.errors import Refusal, bad_request
from pixel_core.serving.http.messages import MediaPart, UserMessage, read_messages
from pixel_core.serving.http.parameters import has_no_effect

#: A whole number, also from languages whose only number type is float64.
Whole = Annotated[
    int, BeforeValidator(lambda v: int(v) if isinstance(v, float) and v.is_integer() else v)
]
#: For these, local servers take -1 as "only the model's own bound", and so do we.
_BOUNDS = ("max_tokens", "max_completion_tokens")


class Strict(BaseModel):
    """No type conversion, no unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class StreamOptions(Strict):
    include_usage: bool = False
    include_obfuscation: bool = False
    continuous_usage_stats: Literal[False] = False


class PixelOptions(Strict):
    """Our own options, under ``pixel``; clients send them as an extra field of the body."""

    #: False: the same model without operations. None: the server's default.
    operations: bool | None = None
    #: For a multiple-choice question, without letters; appended below the question.
    choices: Annotated[tuple[str, ...], Field(max_length=26, strict=False)] = ()


class Body(Strict):
    """The parameters we honour."""

    model: str
    messages: Annotated[list[Any], Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[Whole, Field(ge=-(2**63), lt=2**63)] | None = None
    max_tokens: Annotated[Whole, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[Whole, Field(ge=1)] | None = None
    n: Literal[1] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    pixel: PixelOptions | None = None


@dataclass(frozen=True)
class ChatRequest:
    """A validated request. ``media`` is not decoded yet."""

    question: str
    media: tuple[MediaPart, ...]
    choices: tuple[str, ...]
    operations: bool | None
    #: 0: greedy, which is the default, as in our evaluations.
    temperature: float
    top_p: float
    #: The client's own, or a fresh one; 0 when greedy without one.
    seed: int
    #: Per turn; None: as the model was trained.
    max_new_tokens: int | None
    stream: bool
    include_usage: bool
    ignored: tuple[str, ...]


def read_request(body: Mapping[str, Any], model: str, limits: Limits) -> ChatRequest:
    """Parse and validate a body. ``model``: the only model served. Raises ``Refusal``."""
    honoured, ignored = _sorted_out(body)
    try:
        parsed = Body.model_validate(honoured)
    except ValidationError as error:
        raise _fault(error) from None
    if parsed.model != model:
        raise Refusal(
            404,
            f"there is no model {parsed.model[:100]!r} here: the only one is {model!r}",
            param="model",
            code="model_not_found",
        )
    if parsed.stream_options is not None and not parsed.stream:
        raise bad_request("stream_options goes with stream: true", "stream_options")
    message = read_messages(parsed.messages, limits)
    options = parsed.pixel or PixelOptions()
    _check_choices(message, options, limits)
    temperature = parsed.temperature or 0.0
    return ChatRequest(
        question=message.question,
        media=message.media,
        choices=options.choices,
        operations=options.operations,
        temperature=temperature,
        top_p=1.0 if parsed.top_p is None else parsed.top_p,
        seed=_seed(parsed.seed, temperature),
        max_new_tokens=_smaller(parsed.max_tokens, parsed.max_completion_tokens),
        stream=bool(parsed.stream),
        include_usage=bool(parsed.stream_options and parsed.stream_options.include_usage),
        ignored=(*ignored, *message.ignored),
    )


def _seed(given: int | None, temperature: float) -> int:
    """Without a seed each request gets a new one. It is small enough for programs whose only
    numbers are float64 (JavaScript) to send back."""
    if given is not None or temperature == 0:
        return given or 0
    return secrets.randbits(53)


def _sorted_out(body: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    honoured, ignored = {}, []
    for name, value in body.items():
        if name in _BOUNDS and value == -1:
            ignored.append(name)
        elif name in Body.model_fields:
            honoured[name] = value
        elif has_no_effect(name, value):
            ignored.append(name)
    return honoured, tuple(sorted(ignored))


def _check_choices(message: UserMessage, options: PixelOptions, limits: Limits) -> None:
    if len(options.choices) == 1 or any(not choice.strip() for choice in options.choices):
        raise bad_request("choices are two texts or more, none of them empty", "pixel.choices")
    if len(message.question) + sum(map(len, options.choices)) > limits.max_text:
        raise bad_request(
            f"question and choices are longer than {limits.max_text:,} characters",
            "pixel.choices",
        )
    if any(_is_broken(choice) for choice in options.choices):
        raise bad_request("a choice holds half a character (a surrogate)", "pixel.choices")


def _is_broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _smaller(first: int | None, second: int | None) -> int | None:
    given = [limit for limit in (first, second) if limit is not None]
    return min(given, default=None)


def _fault(error: ValidationError) -> Refusal:
    """The first error, with the parameter's path and no more of its value than needed."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return bad_request(
            f"{place} is missing: a request needs model and messages",
            place,
            "missing_required_parameter",
        )
    if place == "n":
        return bad_request("n must be 1: ask again for another answer", "n")
    kind = first["type"]
    code = "unknown_parameter" if kind == "extra_forbidden" else "invalid_value"
    return bad_request(f"{place}: {first['msg']}"[:300], place, code)
