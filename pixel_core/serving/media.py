"""Media that users attach to a question, as RGB pictures: files, bytes, arrays, URLs, videos.

A file's type is read from its content, never from its name or a server's headers.
"""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pixel_core.errors import MediaError
from pixel_core.media.deadline import NEVER, Deadline
from pixel_core.media.frames import even_frames
from pixel_core.media.loading import MAX_PIXELS, as_picture, load_picture
from pixel_core.media.unread_pictures import HEIC_BRANDS
from pixel_core.media.video import VideoFile, VideoLimits
from pixel_core.serving.url_fetch import UrlLimits, fetch, is_url

#: A file's path or URL, a file's content, a picture, or an array of pixels.
One = str | Path | bytes | Image.Image | np.ndarray
Media = One | Sequence[One]

#: Magic bytes of video containers: (offset, bytes). A GIF is a picture: its first frame.
_VIDEOS = (
    (0, b"\x1aE\xdf\xa3"),  # Matroska, WebM
    (8, b"AVI "),
    (0, b"FLV\x01"),
    (0, b"OggS"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF, WMV
    (0, b"\x00\x00\x01\xba"),  # MPEG program stream
    (0, b"\x00\x00\x01\xb3"),  # MPEG video
    (4, b"moov"),
    (4, b"mdat"),
    (4, b"wide"),
)
#: ISO files (MP4's kind) that hold pictures.
_PICTURE_BRANDS = HEIC_BRANDS | {b"avif", b"avis"}
_TS_PACKET = 188
_HEAD = 512


#: 4K: all frames shown are held at once.
_VIDEO = VideoLimits(bytes=2 << 30, pixels=4096 * 2304, seconds=3600, frames=500_000)


@dataclass(frozen=True)
class MediaLimits:
    """Limits on media. ``bytes`` and ``pixels`` are per picture."""

    bytes: int = 100_000_000
    pixels: int = MAX_PIXELS
    pictures: int = 16
    frames: int = 64
    video: VideoLimits = _VIDEO
    urls: UrlLimits = field(default_factory=UrlLimits)


@dataclass(frozen=True)
class Seen:
    """``images``: RGB, upright; for a video, its frames in order."""

    images: tuple[Image.Image, ...]
    is_video: bool


def read_media(
    media: Media,
    *,
    video: bool | None = None,
    frames: int = 16,
    limits: MediaLimits,
    deadline: Deadline = NEVER,
) -> Seen:
    """One picture or video, or several pictures.

    ``video``: True for a list of frames or an animated GIF that is a video; False for media
    that must be pictures; None: a file's content decides, and a list is several pictures.
    ``frames``: from a video file, at the centres of that many equal parts; fewer if it has
    fewer. An array of shape (frames, height, width, 3) is a video. Raises ``MediaError``, and
    ``TimedOut`` when ``deadline`` passes between two pictures or packets of a video.
    """
    if not 1 <= frames <= limits.frames:
        raise MediaError(f"{frames} frames can't be shown: choose from 1 to {limits.frames}")
    if isinstance(media, np.ndarray) and media.ndim == 4:
        media, video = list(media), True
    if isinstance(media, str | Path | bytes | bytearray | Image.Image | np.ndarray):
        return _one(_content(media, limits), video, frames, limits, deadline)
    items = list(media) if isinstance(media, Iterable) else [_content(media, limits)]
    most = limits.frames if video else limits.pictures
    if not 1 <= len(items) <= most:
        what = "frames" if video else "pictures"
        raise MediaError(f"{len(items)} {what} can't be shown: give 1 to {most}")
    images = []
    for item in items:
        deadline.check()
        images.append(_picture(_content(item, limits), limits))
    return Seen(tuple(images), is_video=bool(video))


def _content(one: Any, limits: MediaLimits) -> Any:
    """Fetch a URL; convert a path to ``Path`` and a bytearray to bytes; else unchanged."""
    if isinstance(one, bytearray):
        return bytes(one)
    if isinstance(one, str):
        return fetch(one, limits.urls) if is_url(one) else Path(one)
    if isinstance(one, Path | bytes | Image.Image | np.ndarray):
        return one
    raise MediaError(
        f"a {type(one).__name__} is no picture: give a path, a URL, the file's bytes, a PIL "
        "image or an array"
    )


def _one(
    content: Any, video: bool | None, frames: int, limits: MediaLimits, deadline: Deadline
) -> Seen:
    deadline.check()
    if video is None:
        video = isinstance(content, Path | bytes) and is_video(_head(content))
    if not video:
        return Seen((_picture(content, limits),), is_video=False)
    if isinstance(content, Path):
        return _video(content, str(content), frames, limits, deadline)
    if isinstance(content, bytes):
        # Decoders seek, so they need a file.
        with tempfile.NamedTemporaryFile(prefix="pixel-video-") as file:
            file.write(content)
            file.flush()
            name = f"of {len(content):,} bytes"
            return _video(Path(file.name), name, frames, limits, deadline)
    return Seen((_picture(content, limits),), is_video=True)


def _video(path: Path, name: str, frames: int, limits: MediaLimits, deadline: Deadline) -> Seen:
    _check_file(path, limits.video.bytes)
    video = VideoFile(path, name=name, limits=limits.video, deadline=deadline)
    chosen = even_frames(video, frames)
    return Seen(tuple(image for _, image in video.frames(chosen)), is_video=True)


def _picture(content: Any, limits: MediaLimits) -> Image.Image:
    if isinstance(content, Image.Image):
        return as_picture(content, max_pixels=limits.pixels)
    if isinstance(content, np.ndarray):
        return as_picture(_of_pixels(content), max_pixels=limits.pixels)
    if isinstance(content, Path):
        _check_file(content, limits.bytes)
    elif len(content) > limits.bytes:
        raise _too_large(f"of {len(content):,} bytes", limits.bytes)
    return load_picture(content, max_pixels=limits.pixels)


def _of_pixels(array: np.ndarray) -> Image.Image:
    grey_or_colour = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if not grey_or_colour or array.dtype != np.uint8 or 0 in array.shape:
        raise MediaError(
            f"an array of {array.dtype} {array.shape} is no picture: give uint8 of (height, "
            "width), (height, width, 3) or, with transparency, (height, width, 4)"
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    return Image.fromarray(np.ascontiguousarray(array))


def _check_file(path: Path, most: int) -> None:
    """Require a regular file of a sensible size: opening a pipe or device could block."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return  # reported when it is opened
    except (OSError, ValueError) as error:  # a name too long, or with a zero byte in it
        raise MediaError(f"{str(path)[:200]!r} can't be opened: check the path") from error
    if not stat.S_ISREG(about.st_mode):
        raise MediaError(f"{path} is no file: give a picture's or a video's path")
    size = about.st_size
    if size > most:
        raise _too_large(str(path), most)


def _too_large(name: str, most: int) -> MediaError:
    return MediaError(f"picture {name} is over the {most:,} bytes allowed: make it smaller")


def _head(content: Path | bytes) -> bytes:
    if isinstance(content, bytes):
        return content[:_HEAD]
    _check_file(content, 1 << 62)
    try:
        with content.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""  # reported when it is opened as a picture


def is_video(head: bytes) -> bool:
    """Whether a file with this head is a video container."""
    if head[4:8] == b"ftyp":
        return head[8:12] not in _PICTURE_BRANDS
    if head[:1] == b"G" and head[_TS_PACKET : _TS_PACKET + 1] == b"G":
        return not head.startswith(b"GIF")  # MPEG transport stream: a G begins every packet
    return any(head[at : at + len(sign)] == sign for at, sign in _VIDEOS)
