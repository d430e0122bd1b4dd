"""The original's record: ``{"message_list": [{"role", "content": [part, ...]}]}``, where a
part is ``{"text": ...}``, ``{"image": path}`` or ``{"video": [paths of its frames]}``.

Source: the data that Pixel Reasoner's authors published for instruction tuning.
"""

from __future__ import annotations

from typing import Any

from pixel_core.data.exchange.portable import (
    EXTRA,
    Files,
    ImportRefusal,
    PortableMessage,
    PortableRecord,
    Rejected,
)

MESSAGES = "message_list"


def dump(record: PortableRecord) -> dict[str, Any]:
    written = [
        {"role": message.role, "content": [_dump_part(part) for part in message.parts]}
        for message in record.messages
    ]
    return {MESSAGES: written, EXTRA: record.extra}


def load(values: Any) -> PortableRecord:
    """The record; raises ``Rejected``. Null parts of a table's rows are ignored; a ``type``
    beside a part's value is allowed."""
    if not isinstance(values, dict) or not isinstance(values.get(MESSAGES), list):
        raise Rejected(ImportRefusal.NOT_A_RECORD, f"no list {MESSAGES!r}")
    extra = values.get(EXTRA) or ""
    if not isinstance(extra, str):
        raise Rejected(ImportRefusal.EXTRA_DIFFERS, f"{EXTRA} is not a text")
    return PortableRecord(tuple(map(_load_message, values[MESSAGES])), extra)


def _dump_part(part: str | Files) -> dict[str, Any]:
    if isinstance(part, str):
        return {"text": part}
    if part.video:
        return {"video": list(part.paths)}
    (path,) = part.paths
    return {"image": path}


def _load_message(message: Any) -> PortableMessage:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise Rejected(ImportRefusal.NOT_A_RECORD, "a message without a role")
    content = message.get("content")
    if isinstance(content, str):
        return PortableMessage(message["role"], (content,))
    if not isinstance(content, list):
        raise Rejected(ImportRefusal.NOT_A_RECORD, "a message whose content is no list")
    return PortableMessage(message["role"], tuple(map(_load_part, content)))


def _load_part(part: Any) -> str | Files:
    if not isinstance(part, dict):
        raise Rejected(ImportRefusal.NOT_A_RECORD, "a part that is no object")
    said = {
        name: part[name] for name in ("text", "image", "video") if part.get(name) is not None
    }
    match said:
        case {"text": str(text), **rest} if not rest:
            return text
        case {"image": str(path), **rest} if not rest:
            return Files((path,))
        case {"video": [*paths], **rest} if (
            not rest and paths and all(isinstance(path, str) for path in paths)
        ):
            return Files(tuple(paths), video=True)
    raise Rejected(
        ImportRefusal.NOT_A_RECORD, f"a part with {sorted(part)}: not one text, image or video"
    )
