"""Pictures inside the page: each is embedded once and drawn wherever it is shown."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from PIL import Image

from pixel_core.records import Box, Picture

#: Longest side, in pixels, of an embedded picture and of a crop beside it.
PICTURE_SIDE = 560
CROP_SIDE = 240
#: The same for a video's frame in a strip.
FRAME_SIDE = 180
_JPEG_QUALITY = 82

Opener = Callable[[Picture], Image.Image]


class Role(StrEnum):
    """The meaning of a drawn box; the page has a colour for each."""

    LOOK = "look"  #: an executed operation
    WRONG = "wrong"  #: a designated wrong operation of a trajectory
    CUE = "cue"  #: where the evidence is


@dataclass(frozen=True)
class Mark:
    """A box on a picture, in the picture's own pixels; ``label`` is drawn at its corner."""

    box: Box
    label: str
    role: Role


@dataclass(frozen=True)
class Shot:
    """An embedded picture with boxes drawn over it."""

    ref: str
    width: int
    height: int
    marks: tuple[Mark, ...]
    alt: str


@dataclass(frozen=True)
class StripFrame:
    """A frame of a video: its number from 1, and the operations that selected it."""

    ref: str
    width: int
    height: int
    number: int
    #: (an operation's number, its role), in order.
    looks: tuple[tuple[int, Role], ...]
    #: Whether it contains the evidence.
    cue: bool


@dataclass(frozen=True)
class Strip:
    """A video's frames in order."""

    frames: tuple[StripFrame, ...]
    alt: str


@dataclass(frozen=True)
class Cutting:
    """A small picture of its own: a crop, or a view as the model sees it."""

    uri: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class Embedded:
    """One entry of the page's hidden picture store."""

    ref: str
    width: int
    height: int
    uri: str


class Gallery:
    """Opens pictures and keeps those that the page embeds.

    ``opener`` returns a picture's pixels, RGB and upright, sized as its record says:
    ``PictureArchive.load``, or ``in_memory``. ``prefix`` starts the names of the embedded
    pictures: galleries on one page need different ones.
    """

    def __init__(self, opener: Opener, prefix: str = "picture") -> None:
        self._opener = opener
        self._prefix = prefix
        self._embedded: dict[tuple[str, int], Embedded] = {}
        self._last: tuple[str, Image.Image] | None = None

    @property
    def embedded(self) -> list[Embedded]:
        return list(self._embedded.values())

    def load(self, picture: Picture) -> Image.Image:
        """The picture's pixels; caches the last one, since a card opens it repeatedly."""
        if self._last is None or self._last[0] != _content(picture):
            self._last = _content(picture), self._opener(picture)
        return self._last[1]

    def shot(self, picture: Picture, marks: Sequence[Mark], alt: str) -> Shot:
        ref = self._ref(picture, PICTURE_SIDE)
        return Shot(ref, picture.width, picture.height, tuple(marks), alt)

    def strip(
        self,
        frames: Sequence[Picture],
        looks: Sequence[tuple[Sequence[int], Role]],
        cue: Collection[int],
        alt: str,
    ) -> Strip:
        """``looks``: the frames (0-based) of each selection, in order."""
        return Strip(
            tuple(
                StripFrame(
                    ref=self._ref(picture, FRAME_SIDE),
                    width=picture.width,
                    height=picture.height,
                    number=at + 1,
                    looks=tuple(
                        (n, role) for n, (chosen, role) in enumerate(looks, 1) if at in chosen
                    ),
                    cue=at in cue,
                )
                for at, picture in enumerate(frames)
            ),
            alt,
        )

    def _ref(self, picture: Picture, side: int) -> str:
        """The picture's name on the page; embeds it on first use."""
        key = (_content(picture), side)
        if key not in self._embedded:
            ref = f"{self._prefix}-{len(self._embedded)}"
            uri = data_uri(reduced(self.load(picture), side))
            self._embedded[key] = Embedded(ref, picture.width, picture.height, uri)
        return self._embedded[key].ref

    def crop(self, picture: Picture, box: Box, alt: str) -> Cutting:
        return cutting(self.load(picture).crop(box.as_tuple()), alt)


def in_memory(pictures: Sequence[Picture], images: Sequence[Image.Image]) -> Opener:
    """An opener of pictures in memory, in the order of their records."""
    held: Mapping[str, Image.Image] = dict(zip(map(_content, pictures), images, strict=True))
    return lambda picture: held[_content(picture)]


def _content(picture: Picture) -> str:
    """A picture's identity; its name if it has no digest."""
    return picture.sha256 or picture.member


def cutting(image: Image.Image, alt: str) -> Cutting:
    small = reduced(image, CROP_SIDE)
    return Cutting(data_uri(small), small.width, small.height, alt)


def reduced(image: Image.Image, side: int) -> Image.Image:
    """At most ``side`` pixels on the longer side; never enlarged."""
    if max(image.size) <= side:
        return image
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def data_uri(image: Image.Image) -> str:
    """PNG with a palette for drawings (at most 256 colours), else JPEG."""
    rgb = image.convert("RGB")
    out = io.BytesIO()
    if rgb.getcolors(256) is not None:
        rgb.quantize(256, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        kind = "png"
    else:
        rgb.save(out, "JPEG", quality=_JPEG_QUALITY, optimize=True)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode('ascii')}"
