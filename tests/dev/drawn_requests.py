"""Chat requests about drawn scenes, as the annotation room writes them."""

from __future__ import annotations

import base64
import io
import random
from typing import Any

from PIL import Image

from pixel_core.config import WorldConfig
from pixel_core.tiny.draw import draw
from pixel_core.tiny.scene import Card, Scene, World

WORLD = World(WorldConfig())


def scene(number: int) -> Scene:
    return WORLD.scene(random.Random(f"dev/{number}"))


def shown(image: Image.Image, scale: float = 1.0, kind: str = "PNG") -> Image.Image:
    """The picture as it arrives after shrinking or growing, and encoding; JPEG with its
    colours at full resolution, as annotation sends it."""
    size = round(image.width * scale), round(image.height * scale)
    out = io.BytesIO()
    image.resize(size, Image.Resampling.BICUBIC).save(
        out, kind, **({"quality": 90, "subsampling": 0} if kind == "JPEG" else {})
    )
    return Image.open(out).convert("RGB")


def data_url(image: Image.Image) -> str:
    out = io.BytesIO()
    image.save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


FIELDS: dict[str, dict[str, str]] = {
    "look": {"readable": "boolean", "answer": "string"},
    "locate_box": {
        "valid": "boolean",
        "picture": "integer",
        "box": "array",
        "subject": "string",
        "whole_view": "string",
        "local_view": "string",
    },
    "locate_frames": {"valid": "boolean", "frames": "array"},
    "propose": {
        "valid": "boolean",
        "box": "array",
        "question": "string",
        "right_option": "string",
        "wrong_options": "array",
    },
}


def body(
    name: str, text: str, *images: Image.Image, model: str = "gpt-4o", **more: Any
) -> dict[str, Any]:
    """A request for the schema ``name``, with these pictures and this text."""
    fields = FIELDS[name]
    schema = {
        "type": "object",
        "properties": {field: {"type": kind} for field, kind in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": data_url(image), "detail": "high"}}
        for image in images
    ]
    return {
        "model": model,
        "messages": [
            {"role": "system", "content": "Fill in the fields."},
            {"role": "user", "content": [*parts, {"type": "text", "text": text}]},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": name, "strict": True, "schema": schema},
        },
        "max_completion_tokens": 500,
        **more,
    }


def digit_question(card: Card) -> str:
    return f"Question: which digit is on the {card.colour} card?"


def look(number: int) -> dict[str, Any]:
    """A second look at the first card of a scene, from close by."""
    one = scene(number)
    card = one.cards[0]
    near = draw(one).crop((card.x, card.y, card.x + 64, card.y + 64))
    return body("look", digit_question(card), near)
