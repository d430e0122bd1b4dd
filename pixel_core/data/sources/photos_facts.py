"""What is to be known of a photo before it becomes a seed."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

from PIL import Image

from pixel_core.data.sources.folder import Folder, FolderFile
from pixel_core.data.sources.folder_place import is_hidden
from pixel_core.errors import DataError, MediaError
from pixel_core.media.loading import FORMATS, SUFFIXES, load_picture
from pixel_core.media.picture_files import MAX_FILE_BYTES

#: Raised when what is remembered of a photo changes in meaning.
_VERSION = 2


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """``width`` and ``height`` are those of the upright picture. ``fault`` is "" for a
    picture that can be used, and then says nothing of the rest."""

    sha256: str = ""
    width: int = 0
    height: int = 0
    #: The ending its content asks for, whatever its name says.
    suffix: str = ""
    fault: str = ""


def is_picture(name: str) -> bool:
    """Whether a file is meant as a picture, by its name: hidden files are not."""
    return not is_hidden(name) and PurePosixPath(name).suffix.lower() in SUFFIXES


class PhotoReader:
    """Reads and fully decodes photos; what it found is remembered with the folder."""

    def __init__(self, folder: Folder, max_pixels: int) -> None:
        self._folder = folder
        self._max_pixels = max_pixels
        self._kind = f"photo/{_VERSION}/{max_pixels}"

    def facts(self, file: FolderFile) -> PhotoFacts:
        """From memory where the file was looked at before. Raises ``StorageError``."""
        return self._known(file) or self.load(file)[0]

    def load(self, file: FolderFile) -> tuple[PhotoFacts, bytes]:
        """The facts and the file's bytes, which the facts hold for. Raises
        ``StorageError``."""
        if file.size > MAX_FILE_BYTES:
            return PhotoFacts(fault=f"has {file.size} bytes, over {MAX_FILE_BYTES}"), b""
        try:
            data = self._folder.read(file.name)
        except DataError as error:
            return PhotoFacts(fault=f"can't be read: {error}"), b""
        known = self._known(file)
        if known is None or known.sha256 != hashlib.sha256(data).hexdigest():
            known = _decoded(data, file.name, self._max_pixels)
            self._folder.memory.put(
                self._kind, self._folder.url, file, json.dumps(asdict(known))
            )
        return known, data

    def _known(self, file: FolderFile) -> PhotoFacts | None:
        text = self._folder.memory.get(self._kind, self._folder.url, file)
        return None if text is None else PhotoFacts(**json.loads(text))


def _decoded(data: bytes, name: str, max_pixels: int) -> PhotoFacts:
    digest = hashlib.sha256(data).hexdigest()
    try:
        image = load_picture(data, max_pixels=max_pixels, name=name)
    except MediaError as error:
        return PhotoFacts(sha256=digest, fault=f"is not usable: {error}")
    with Image.open(io.BytesIO(data), formats=FORMATS) as header:
        written = header.format or ""
    suffix = ".jpg" if written in ("JPEG", "MPO") else f".{written.lower()}"
    return PhotoFacts(digest, image.width, image.height, suffix)
