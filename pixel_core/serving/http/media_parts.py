"""A request's pictures and videos: their bytes, and the pixels in them. For threads."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from PIL import Image

from pixel_core.errors import MediaError
from pixel_core.media.deadline import Deadline
from pixel_core.media.video import VideoLimits
from pixel_core.serving.http.admission import Limits
from pixel_core.serving.http.errors import Refusal, bad_request
from pixel_core.serving.http.messages import MediaPart
from pixel_core.serving.media import MediaLimits, read_media
from pixel_core.serving.url_fetch import UrlLimits, fetch, is_url

#: A video's bytes are bounded by the request's; this only keeps out what states nonsense.
_VIDEO_S = 4 * 3600.0
_VIDEO_FRAMES = 500_000

#: The end of an address's head, which may hold a file's name with commas; and of how many
#: characters a head is looked for.
_BASE64 = re.compile(r";\s*base64\s*,", re.IGNORECASE)
_LONGEST_HEAD = 1000

_STANDARD = bytes.maketrans(b"-_", b"+/")
_WHITE = b" \t\n\r\f\v"


def bytes_of(part: MediaPart, room: int, urls: UrlLimits) -> bytes:
    """The file that an address holds or leads to, of ``room`` bytes at most. What an address
    says of the file's type is not believed. Raises ``Refusal``."""
    if is_url(part.url):
        try:
            return fetch(part.url, replace(urls, bytes=min(urls.bytes, room)))
        except MediaError as error:
            raise bad_request(f"{part.param}: {error}", part.param, "invalid_url") from None
    address = part.url.partition("#")[0]  # what follows is of the page, not of the data
    found = _BASE64.search(address[:_LONGEST_HEAD])
    comma = found.end() if found else address.find(",") + 1
    head, data = address[: max(comma - 1, 0)], address[comma:]
    if not comma or not head.lower().startswith("data:"):
        raise bad_request(
            f"{part.param} begins with {part.url[:10]!r}: send the file itself, as "
            "data:image/png;base64,..., or an address of a host that the server allows",
            part.param,
            "invalid_url",
        )
    if "base64" not in [word.strip() for word in head.lower().split(";")[1:]]:
        raise bad_request(
            f"{part.param} holds no base64: write data:image/png;base64,...",
            part.param,
            "invalid_base64",
        )
    try:
        held = base64_text(data)
    except ValueError as error:
        raise bad_request(
            f"{part.param} is no base64: {error}; encode the file's bytes again",
            part.param,
            "invalid_base64",
        ) from None
    if len(held) // 4 * 3 > room + 2:
        raise Refusal(
            413,
            f"{part.param}: the pictures of a request are larger than is allowed in all; "
            f"{room:,} bytes were left for this one",
            code="image_too_large",
            param=part.param,
        )
    try:
        return base64.b64decode(held, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(
            f"{part.param} is no base64: {error}; encode the file's bytes again",
            part.param,
            "invalid_base64",
        ) from None


def base64_text(data: str) -> bytes:
    """Base64 as clients write it, in the standard form: without white space, in the alphabet of
    ``+`` and ``/``, padded.

    As browsers read it (WHATWG, Infra Standard, "forgiving-base64 decode", after the URL's
    percent signs are resolved), and the URL-safe alphabet too. What is no base64 at all stays
    for the decoder to refuse. Raises ``ValueError`` for letters beyond ASCII and for a length
    that no bytes have.
    """
    if not data.isascii():
        raise ValueError("it holds characters beyond ASCII")
    text = data.encode()
    if b"%" in text:
        text = unquote_to_bytes(text)
    text = text.translate(_STANDARD, _WHITE).rstrip(b"=")
    if len(text) % 4 == 1:
        raise ValueError(f"{len(text):,} characters can't be whole bytes: some are missing")
    return text + b"=" * (-len(text) % 4)


def images_of(
    media: Sequence[MediaPart], files: Sequence[bytes], limits: Limits, deadline: Deadline
) -> list[Image.Image]:
    """The pictures, or the video's frames: RGB, upright, within ``limits.max_pixels`` in all.
    Raises ``Refusal``, and ``TimedOut`` as ``read_media``."""
    images: list[Image.Image] = []
    for part, file in zip(media, files, strict=True):
        room = limits.max_pixels - sum(image.width * image.height for image in images)
        try:
            images += _decoded(part, file, limits, max(room, 1), deadline)
        except MediaError as error:
            raise bad_request(f"{part.param}: {error}", part.param, "invalid_image") from None
    return images


def _decoded(
    part: MediaPart, file: bytes, limits: Limits, room: int, deadline: Deadline
) -> tuple[Image.Image, ...]:
    video = part.kind == "video"
    bounds = MediaLimits(
        bytes=len(file),
        pixels=room,
        frames=limits.max_frames,
        video=VideoLimits(
            bytes=len(file),
            pixels=room // limits.max_frames,  # so many of them are held at once
            seconds=_VIDEO_S,
            frames=_VIDEO_FRAMES,
        ),
    )
    if not file:
        raise MediaError("it is empty: send the file's bytes in base64")
    seen = read_media(
        file, video=video, frames=limits.max_frames, limits=bounds, deadline=deadline
    )
    return seen.images
