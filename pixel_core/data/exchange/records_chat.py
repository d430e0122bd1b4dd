"""The common record of trainers: ``{"messages": [{"role", "content"}], "images": [paths]}``.

In the text ``content`` each ``<image>`` stands for the next image; a video's frames are
images. This is the *messages* format of ms-swift and, with ``role`` and ``content`` named as
tags, the *sharegpt* format of LLaMA-Factory. TRL wants the content as a list of typed parts
instead, with opened pictures.
"""

from __future__ import annotations

import re
from typing import Any

from pixel_core.data.exchange.portable import (
    EXTRA,
    Files,
    ImportRefusal,
    PortableMessage,
    PortableRecord,
    Rejected,
)

MESSAGES, IMAGES = "messages", "images"
PLACEHOLDER = "<image>"

#: Names in angle brackets that trainers treat as media. In our text a zero-width space breaks
#: such a name; text that has such spaces already gets another, so that reading can remove
#: exactly one.
_MARK = "\u200b"
_MEDIA = re.compile(f"<({_MARK}*)(image|video|audio)>")
_MARKED = re.compile(f"<{_MARK}({_MARK}*)(image|video|audio)>")


def dump(record: PortableRecord) -> dict[str, Any]:
    written = [
        {"role": message.role, "content": "".join(map(_dump_part, message.parts))}
        for message in record.messages
    ]
    paths = [path for m in record.messages for files in m.files for path in files.paths]
    return {MESSAGES: written, IMAGES: paths, EXTRA: record.extra}


def load(values: Any) -> PortableRecord:
    """The record; raises ``Rejected``."""
    if not isinstance(values, dict) or not isinstance(values.get(MESSAGES), list):
        raise Rejected(ImportRefusal.NOT_A_RECORD, f"no list {MESSAGES!r}")
    paths = values.get(IMAGES) or []
    extra = values.get(EXTRA) or ""
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise Rejected(ImportRefusal.NOT_A_RECORD, f"{IMAGES!r} is not a list of paths")
    if not isinstance(extra, str):
        raise Rejected(ImportRefusal.EXTRA_DIFFERS, f"{EXTRA} is not a text")
    messages: list[PortableMessage] = []
    used = 0
    for message in values[MESSAGES]:
        if not isinstance(message, dict):
            raise Rejected(ImportRefusal.NOT_A_RECORD, "a message that is no object")
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str) or not isinstance(content, str):
            raise Rejected(ImportRefusal.NOT_A_RECORD, "a message without a role or a text")
        texts = content.split(PLACEHOLDER)
        count = len(texts) - 1
        if used + count > len(paths):
            raise Rejected(
                ImportRefusal.PICTURE_COUNT, f"more {PLACEHOLDER} than the {len(paths)} images"
            )
        parts: list[str | Files] = []
        for number, text in enumerate(texts):
            if text:
                parts.append(_unmarked(text) if extra else text)
            if number < count:
                parts.append(Files((paths[used + number],)))
        used += count
        messages.append(PortableMessage(role, tuple(parts)))
    if used < len(paths):
        raise Rejected(
            ImportRefusal.PICTURE_COUNT, f"{len(paths)} images, {used} {PLACEHOLDER}"
        )
    return PortableRecord(tuple(messages), extra)


def _dump_part(part: str | Files) -> str:
    if isinstance(part, str):
        return _MEDIA.sub(rf"<{_MARK}\1\2>", part)
    return PLACEHOLDER * len(part.paths)


def _unmarked(text: str) -> str:
    return _MARKED.sub(r"<\1\2>", text)
