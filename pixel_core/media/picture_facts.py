"""Facts about records' pictures: each hashed and decoded once, and cached between runs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from PIL import Image

from pixel_core.errors import DataError, MediaError
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.media.budget import check_shape
from pixel_core.media.loading import load_picture
from pixel_core.media.picture_files import MAX_FILE_BYTES, PictureFile
from pixel_core.media.picture_zip import PictureFault
from pixel_core.records import Picture
from pixel_core.workflow.store.stat_cache import FolderFile, FolderMemory

_Key = tuple[str, str, str]

_VIDEOS = frozenset({".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v"})

#: Facts cached in the process, for pictures that many records share.
_AT_HAND = 20_000


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """``width`` and ``height`` are those of the loaded picture (EXIF orientation applied)."""

    sha256: str
    width: int
    height: int


class Pictures:
    """Facts about picture files. A picture larger than ``max_pixels`` is refused. Decodes on
    all cores. Use as a context manager: it has threads, and writes its cache at the end.
    """

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._memory = FolderMemory()
        self._pool = ThreadPoolExecutor(min(16, os.cpu_count() or 1))
        self._at_hand: dict[_Key, PictureFacts] = {}
        # Pillow loads its formats on first use, which is not thread-safe.
        Image.init()

    def __enter__(self) -> Pictures:
        return self

    def __exit__(self, *unused: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._memory.flush()

    def facts(self, files: Iterable[PictureFile]) -> dict[_Key, PictureFacts | PictureFault]:
        """The facts, or the fault, of each file, by its ``key``."""
        wanted = {file.key: file for file in files}
        facts: dict[_Key, PictureFacts | PictureFault] = {
            key: self._at_hand[key] for key in wanted if key in self._at_hand
        }
        unknown = [key for key in wanted if key not in facts]
        looks = self._pool.map(self._look, (wanted[key] for key in unknown))
        for key, found in zip(unknown, looks, strict=True):
            facts[key] = found
            if isinstance(found, PictureFacts):
                self._at_hand[key] = found
        if len(self._at_hand) > _AT_HAND:
            self._at_hand.clear()
        return facts

    def _look(self, file: PictureFile) -> PictureFacts | PictureFault:
        kind = f"picture {self._max_pixels}"
        stamp = file.stamp if file.settled else ""
        listed = FolderFile(file.name, file.size, stamp)
        try:
            if known := self._memory.get(kind, file.place, listed):
                found = PictureFacts(**json.loads(known))
            else:
                found = _inspect(file, self._max_pixels)
                self._memory.put(kind, file.place, listed, json.dumps(asdict(found)))
            check_shown(found.width, found.height)
        except PictureFault as fault:
            return fault
        return found


def check_shown(width: int, height: int) -> None:
    """Raise ``PictureFault`` for a picture or frame of a shape that no model is shown."""
    try:
        check_shape(width, height)
    except MediaError as error:
        raise PictureFault(f"can't be shown to a model: {error}", "or leave it out") from error


def store(file: PictureFile, facts: PictureFacts, archive: PictureArchiveWriter) -> Picture:
    """The picture's record; writes the picture unless the archive has it.

    The name is derived from the content: a picture used twice is stored once. Raises
    ``DataError`` if the picture changed since it was checked.
    """
    member = f"{facts.sha256[:32]}{file.suffix}"
    if member not in archive:
        try:
            data = _read(file)
        except PictureFault as fault:
            raise DataError(
                f"the picture {file.name!r} {fault.fault}; {fault.remedy}"
            ) from fault
        if hashlib.sha256(data).hexdigest() != facts.sha256:
            raise DataError(f"the picture {file.name!r} changed while it was being used")
        return archive.add(member, data, facts.width, facts.height)
    return Picture(member=member, width=facts.width, height=facts.height, sha256=facts.sha256)


def _inspect(file: PictureFile, max_pixels: int) -> PictureFacts:
    """Hash and fully decode. Raises ``PictureFault``."""
    if file.size > MAX_FILE_BYTES:
        raise PictureFault(
            f"has {file.size} bytes", f"keep pictures under {MAX_FILE_BYTES} bytes"
        )
    if file.suffix in _VIDEOS:
        raise PictureFault(
            "is a video file, not a frame", "list its frames, or use the source videos"
        )
    data = _read(file)
    try:
        image = load_picture(data, max_pixels=max_pixels, name=os.path.basename(file.name))
    except MediaError as error:
        raise PictureFault(
            f"is not usable: {error}",
            "replace the picture, or leave the record out",
        ) from error
    return PictureFacts(hashlib.sha256(data).hexdigest(), image.width, image.height)


def _read(file: PictureFile) -> bytes:
    try:
        return file.read()
    except OSError as error:
        raise PictureFault(
            f"can't be read ({error.strerror})", "mend its permissions"
        ) from error
