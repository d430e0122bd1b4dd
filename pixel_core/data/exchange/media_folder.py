"""A folder of picture files named by content; paths from outside can't leave it."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path, PurePosixPath

from pixel_core.data.exchange.portable import ImportRefusal, Rejected
from pixel_core.errors import DataError
from pixel_core.media.file_names import on_disk
from pixel_core.media.loading import SUFFIXES

#: Larger picture files are not read.
MAX_BYTES = 512 * 1024 * 1024


class MediaFolder:
    """``<root>/<name>/<first two digits>/<sha256>.<suffix>``: equal pictures are one file, and
    writing one again after an interruption changes nothing."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._name = name

    def add(self, data: bytes, suffix: str) -> str:
        """The path from the root of a file with this content.

        Raises ``DataError`` if other content is there: nothing is overwritten.
        """
        digest = hashlib.sha256(data).hexdigest()
        relative = f"{self._name}/{place_of(digest, suffix)}"
        path = self._root / relative
        if path.exists():
            if path.stat().st_size != len(data) or path.read_bytes() != data:
                raise DataError(f"{path} holds something else than its name says; move it away")
            return relative
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            part.write_bytes(data)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        return relative


def place_of(sha256: str, suffix: str) -> str:
    """The path of a file with this content below its media folder; a suffix that is not a
    picture's becomes ``.bin``."""
    known = suffix.lower() if suffix.lower() in SUFFIXES else ".bin"
    return f"{sha256[:2]}/{sha256}{known}"


def _alike(root: Path, relative: PurePosixPath) -> Path:
    """The path as written if it exists, else the one that reads alike."""
    path = root / relative
    if str(relative).isascii() or path.exists():
        return path
    found = [root.joinpath(*parts) for parts in on_disk(str(root), list(relative.parts))]
    found = [one for one in found if one.exists()]
    return found[0] if len(found) == 1 else path


def read_inside(root: Path, written: str) -> tuple[bytes, str]:
    """A file that a record names, and its suffix. Raises ``Rejected`` unless it is a regular
    file inside ``root`` after resolving links."""
    relative = PurePosixPath(written.removeprefix("file://"))
    if relative.is_absolute() or ".." in relative.parts or "\0" in written or "\\" in written:
        raise Rejected(ImportRefusal.PICTURE_PATH, f"{written!r} is no path inside the folder")
    try:
        path = _alike(root, relative).resolve()
        inside = path.is_relative_to(root.resolve())
        if not inside or not path.is_file():
            what = "does not exist" if inside else "leads out of the folder"
            raise Rejected(ImportRefusal.PICTURE_PATH, f"{written!r} {what}")
        if path.stat().st_size > MAX_BYTES:
            raise Rejected(
                ImportRefusal.PICTURE_DAMAGED, f"{written!r} has over {MAX_BYTES} bytes"
            )
        return path.read_bytes(), path.suffix
    except (OSError, RuntimeError, ValueError) as error:
        raise Rejected(
            ImportRefusal.PICTURE_PATH, f"{written!r} can't be read ({error})"
        ) from error
