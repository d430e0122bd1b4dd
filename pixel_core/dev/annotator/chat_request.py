"""A parsed chat-completion request, with its pictures and its digest."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pixel_core.dev.annotator.cards import SeenCard, find_cards
from pixel_core.errors import MediaError
from pixel_core.media.loading import load_picture


class BadRequest(Exception):
    """An error in a request, worded like a real endpoint's; ``code`` may be ""."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class SeenPicture:
    """A decoded picture and the cards found in it."""

    width: int
    height: int
    cards: list[SeenCard]


@dataclass(frozen=True)
class AnnotatorRequest:
    """A checked request. ``digest`` is of the body: equal requests have equal digests."""

    model: str
    digest: str
    #: All texts, the first user message's texts, and the number of messages.
    text: str
    asked: str
    messages: int
    pictures: tuple[bytes, ...]
    #: The name of the answer's JSON schema, and its properties.
    schema_name: str
    properties: tuple[tuple[str, Any], ...]
    max_tokens: int

    def sights(self) -> list[SeenPicture]:
        """Look at the pictures, in order. Raises ``BadRequest`` for an invalid one."""
        return [_look(picture) for picture in self.pictures]


def read_chat(body: Any) -> AnnotatorRequest:
    """Check and parse a body. Raises ``BadRequest``."""
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    model, messages = body.get("model"), body.get("messages")
    if not isinstance(model, str) or not model:
        raise BadRequest("you must provide a model parameter")
    if not isinstance(messages, list) or not messages:
        raise BadRequest("messages must be a list with at least one message")
    texts: list[str] = []
    asked: list[str] | None = None
    pictures: list[bytes] = []
    for message in messages:
        spoken = _texts(message, pictures)
        texts += spoken
        if asked is None and message["role"] == "user":
            asked = spoken
    name, properties = _schema(body.get("response_format"))
    most = body.get("max_completion_tokens", body.get("max_tokens", 4096))
    if not isinstance(most, int) or most < 1:
        raise BadRequest("max_completion_tokens must be a positive integer")
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return AnnotatorRequest(
        model=model,
        digest=hashlib.sha256(canonical.encode()).hexdigest(),
        text="\n".join(texts),
        asked="\n".join(asked or ()),
        messages=len(messages),
        pictures=tuple(pictures),
        schema_name=name,
        properties=tuple(properties.items()),
        max_tokens=most,
    )


def _texts(message: Any, pictures: list[bytes]) -> list[str]:
    """A message's texts; appends its pictures to ``pictures``."""
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise BadRequest("each message must be an object with a role")
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        raise BadRequest("a message's content must be a text or a list of parts")
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image_url" and isinstance(part.get("image_url"), dict):
            pictures.append(_data(part["image_url"].get("url")))
        else:
            raise BadRequest(f"a part of type {kind!r} is not known, or not complete")
    return texts


def _data(url: Any) -> bytes:
    head, comma, encoded = url.partition(",") if isinstance(url, str) else ("", "", "")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise BadRequest("a picture's url must be data:image/...;base64,...", "invalid_image")
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise BadRequest("a picture's url is not base64", "invalid_image") from None


def _schema(form: Any) -> tuple[str, dict[str, Any]]:
    if form is None:
        return "", {}
    inner = form.get("json_schema") if isinstance(form, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise BadRequest("response_format must be a json_schema with a name")
    schema = inner.get("schema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        raise BadRequest("the json_schema must be an object with properties")
    assert isinstance(schema, dict)  # checked above
    if inner.get("strict") is True and (
        schema.get("additionalProperties") is not False
        or set(schema.get("required", ())) != set(properties)
    ):
        # The real service rejects such schemas too.
        raise BadRequest(
            "a strict schema needs additionalProperties false and every property required"
        )
    return inner["name"], properties


@lru_cache(maxsize=64)
def _look(picture: bytes) -> SeenPicture:
    try:
        image = load_picture(picture)
    except MediaError as error:
        raise BadRequest(str(error), "invalid_image") from None
    return SeenPicture(image.width, image.height, find_cards(image))
