"""Pictures of an artifact in one zip: the same pictures give the same bytes.

Members are stored, not deflated (pictures are already compressed, and reading a member is then
one seek and one read), with a fixed date and mode.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from PIL import Image

from pixel_core.errors import DataError, MediaError
from pixel_core.media.loading import MAX_PIXELS, load_picture
from pixel_core.records import Picture

#: The earliest date a zip can hold.
_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_MODE = 0o100644 << 16

#: Exceptions of ``zipfile`` on damage, by where it is: a header's text, version, encryption
#: flag, method or offset, or the content. KeyError, for a lost name, comes first.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class PictureArchive:
    """Reads pictures by their records. Safe to pickle and to use after a fork."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._zip: zipfile.ZipFile | None = None
        self._process = 0

    def load(self, picture: Picture) -> Image.Image:
        """The picture's pixels, RGB and upright. ``MediaError`` unless sized as recorded."""
        image = load_picture(
            self.read(picture),
            # It was accepted when stored, under whatever limit; its digest proves it unchanged.
            max_pixels=max(picture.width * picture.height, MAX_PIXELS),
            name=self._name(picture),
        )
        if image.size != (picture.width, picture.height):
            raise MediaError(
                f"picture {self._name(picture)} is {image.width} x {image.height} pixels, "
                f"its record says {picture.width} x {picture.height}: rebuild the artifact"
            )
        return image

    def read(self, picture: Picture) -> bytes:
        """The picture's file. ``MediaError`` unless its digest is the recorded one."""
        archive = self._opened()
        try:
            data = archive.read(picture.member)
        except KeyError:
            raise MediaError(
                f"picture {self._name(picture)} is not in the archive: rebuild the artifact"
            ) from None
        except _DAMAGE as error:
            raise MediaError(
                f"picture {self._name(picture)} is damaged ({error}): rebuild the artifact"
            ) from error
        if hashlib.sha256(data).hexdigest() != picture.sha256:
            raise MediaError(
                f"picture {self._name(picture)} is not the recorded file (its SHA-256 "
                "differs): rebuild the artifact"
            )
        return data

    def close(self) -> None:
        """Close the file; a later read reopens it."""
        if self._zip is not None and self._process == os.getpid():
            self._zip.close()
        self._zip = None

    def _opened(self) -> zipfile.ZipFile:
        # A forked child shares its parent's file position, so it reopens the file.
        if self._zip is None or self._process != os.getpid():
            try:
                self._zip = zipfile.ZipFile(self.path)
            except FileNotFoundError:
                raise MediaError(
                    f"picture archive {self.path} does not exist: rebuild the artifact"
                ) from None
            except _DAMAGE as error:
                raise MediaError(
                    f"picture archive {self.path} is damaged ({error}): rebuild the artifact"
                ) from error
            self._process = os.getpid()
        return self._zip

    def _name(self, picture: Picture) -> str:
        return f"{picture.member} in {self.path}"

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_zip": None, "_process": 0}


class PictureArchiveWriter:
    """Writes an archive. It appears at ``path`` only if the ``with`` block ends well."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._part = self.path.with_name(self.path.name + ".part")
        self._zip: zipfile.ZipFile | None = None

    def __enter__(self) -> PictureArchiveWriter:
        self._zip = zipfile.ZipFile(self._part, "w", zipfile.ZIP_STORED)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._zip is not None
        self._zip.close()
        self._zip = None
        if kind is None:
            self._part.replace(self.path)
        else:
            self._part.unlink()

    def __contains__(self, member: str) -> bool:
        """Whether a picture of that name was added."""
        return self._zip is not None and member in self._zip.NameToInfo

    def add(self, member: str, data: bytes, width: int, height: int) -> Picture:
        """Store a picture file of ``width`` x ``height`` upright pixels; return its record.

        Raises ``DataError`` for a member name that is taken or that no folder could hold.
        """
        if self._zip is None:
            raise ValueError("add pictures inside the with block")
        path = PurePosixPath(member)
        if path.is_absolute() or str(path) != member or {"..", "."} & set(path.parts):
            raise DataError(
                f"picture name {member!r} can't be stored: use a plain relative path"
            )
        if "\\" in member or not member.isprintable():
            raise DataError(
                f"picture name {member!r} can't be stored: use letters, digits, '-', '_'"
            )
        if member in self._zip.NameToInfo:
            raise DataError(f"picture name {member!r} is taken: names must be unique")
        info = zipfile.ZipInfo(member, _DATE)
        info.create_system = _UNIX
        info.external_attr = _MODE
        self._zip.writestr(info, data)
        digest = hashlib.sha256(data).hexdigest()
        return Picture(member=member, width=width, height=height, sha256=digest)
