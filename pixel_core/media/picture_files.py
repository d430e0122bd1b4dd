"""The pictures and videos that records name: files of a folder, members of its zips, or bytes
in a row."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath

from pixel_core.errors import DataError
from pixel_core.media.file_names import on_disk
from pixel_core.media.picture_zip import UTF8_NAMES, PictureFault, Zip

#: A larger encoded picture is refused before it is read.
MAX_FILE_BYTES = 512 * 1024 * 1024

#: A file changed this recently could change again with the same timestamps.
SETTLED_S = 2.0

ABSENT = "absent"

_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture's file, located but not yet read.

    ``place``, ``name`` and ``stamp`` together identify its content. ``watched`` are the
    (path, stamp) pairs that this depends on; see ``stamp_of``.
    """

    place: str
    name: str
    size: int
    stamp: str
    watched: tuple[tuple[str, str], ...]
    #: Raises ``PictureFault``, or ``OSError``.
    read: Callable[[], bytes]

    @property
    def key(self) -> tuple[str, str, str]:
        return self.place, self.name, self.stamp

    @property
    def settled(self) -> bool:
        """Whether the stamp will distinguish this content from a later one."""
        return all(is_settled(stamp) for _, stamp in self.watched)

    @property
    def suffix(self) -> str:
        """ ".png"; "" if the name has no suffix that a file should have."""
        found = PurePosixPath(self.name).suffix.lower()
        return found if _SUFFIX.fullmatch(found) else ""


def stamp_of(path: str | os.PathLike[str]) -> str:
    """Changes when the file does, or when a link's target does; ``ABSENT`` without a file."""
    try:
        return _stamp(os.stat(path))
    except OSError:
        return ABSENT


def is_settled(stamp: str) -> bool:
    """Whether a later change of the file would certainly change its stamp."""
    if stamp == ABSENT:
        return True
    times = stamp.split(":")[1:3]
    return all(time.time() - int(value) / 1e9 > SETTLED_S for value in times)


def embedded(data: bytes, name: str) -> PictureFile:
    """A picture whose bytes are in the record."""
    digest = hashlib.sha256(data).hexdigest()
    name = digest + PurePosixPath(name).suffix
    return PictureFile("sha256", name, len(data), digest, (), lambda: data)


class MediaFiles:
    """Finds pictures and videos by the paths in records: below ``root``, else in a zip directly
    in it; ``root`` may itself be a zip.

    ``links`` is the folder that links may lead to (default: ``root``). Raises ``DataError``
    if there is no such folder, and for a damaged zip.
    """

    def __init__(self, root: Path, *, setting: str, links: Path | None = None) -> None:
        if not root.exists():
            raise DataError(f"there is no pictures folder {str(root)!r}; set {setting}")
        self.root = root
        self._inside = f"give a path inside the pictures folder ({setting})"
        self._folder = root.is_dir()
        self._prefix = os.path.abspath(root)
        self._links = str((links or root).resolve())
        found = sorted(root.glob("*.zip")) if self._folder else [root]
        self._paths = [path for path in found if path.is_file()]
        self._zips: list[tuple[Zip, str]] | None = None
        self._resolved = lru_cache(maxsize=4096)(os.path.realpath)

    def watched(self) -> Iterator[tuple[str, str]]:
        """The zips with their stamps; another zip could contain a named file."""
        return ((str(path), stamp_of(path)) for path in self._paths)

    def find(self, written: str) -> PictureFile:
        """The file a record means: of that name, else of one that reads alike (``file_names``).
        Raises ``PictureFault`` unless it is inside, and if several read alike."""
        parts = self._parts(written)
        found = self._in_folder(parts) if self._folder else None
        if found is None and self._folder and not written.isascii():
            found = self._alike(written, parts)
        if found is None and parts:
            found = self._in_zips(parts)
        if found is None:
            remedy = f"put the picture at {self.root.joinpath(*parts)}, or mend the path"
            unsaid = [zip.path.name for zip, _ in self._opened() if zip.unsaid]
            if unsaid and not written.isascii():
                remedy += f"; or, if it is in {', '.join(unsaid)}, {UTF8_NAMES}"
            raise PictureFault("is missing", remedy)
        return found

    def _alike(self, written: str, parts: list[str]) -> PictureFile | None:
        """The file whose path reads like the written one, which does not exist."""
        paths = on_disk(self._prefix, parts)
        found = [file for path in paths if (file := self._in_folder(path)) is not None]
        if len(found) > 1:
            names = ", ".join(ascii(file.name) for file in found)
            raise PictureFault(
                f"reads like {len(found)} files, {names}", "rename all but one of them"
            )
        if not found:
            return None
        # A file of exactly that name, added later, would take precedence.
        beside = ("/".join([self._prefix, *parts]), ABSENT)
        return replace(found[0], watched=(*found[0].watched, beside))

    def names_in(self, written: str) -> list[str]:
        """The names of a folder's files, sorted; [] if neither ``root`` nor a zip has such a
        folder. Raises ``PictureFault`` as ``find``."""
        parts = self._parts(written)
        path = "/".join([self._prefix, *parts])
        if self._folder and not written.isascii() and not os.path.isdir(path):
            alike = ["/".join([self._prefix, *found]) for found in on_disk(self._prefix, parts)]
            path = next(filter(os.path.isdir, alike), path)
        if self._folder and os.path.isdir(path):
            self._check_inside(self._resolved(path))
            with os.scandir(path) as entries:
                return sorted(entry.name for entry in entries if not entry.is_dir())
        zips = self._opened() if parts else []
        return next(filter(None, (zip.names_below(parts) for zip, _ in zips)), [])

    @contextmanager
    def local(self, found: PictureFile) -> Iterator[Path]:
        """A found file as a file on this machine: itself, or a member's copy while the block
        runs. Raises ``PictureFault``, or ``OSError``."""
        archive = next((zip for zip, _ in self._opened() if str(zip.path) == found.place), None)
        if archive is None:
            yield Path(found.name)
            return
        with tempfile.TemporaryDirectory(prefix="pixel-") as folder:
            path = Path(folder, f"member{found.suffix}")
            with path.open("wb") as out:
                archive.copy(found.name, out, found.size)
            yield path

    def close(self) -> None:
        for archive, _ in self._zips or ():
            archive.close()
        self._zips = None

    def _parts(self, written: str) -> list[str]:
        # Not with pathlib, which takes longer than all else here.
        parts = [part for part in written.split("/") if part not in ("", ".")]
        if written[:1] == "/" or ".." in parts or "\0" in written or "\\" in written:
            raise PictureFault(
                "is not a relative path inside the pictures folder", self._inside
            )
        try:
            os.fsencode(written)
        except UnicodeEncodeError as error:  # a lone surrogate, which JSON can hold
            raise PictureFault("is no name that a file can have", self._inside) from error
        return parts

    def _check_inside(self, target: str) -> None:
        if not f"{target}/".startswith(f"{self._links.rstrip('/')}/"):
            raise PictureFault("leads out of the pictures folder through a link", self._inside)

    def _in_folder(self, parts: list[str]) -> PictureFile | None:
        path = "/".join([self._prefix, *parts])
        try:
            status = os.lstat(path)
            above, _, name = path.rpartition("/")
            inside = f"{self._resolved(above)}/{name}"
            linked = stat.S_ISLNK(status.st_mode)
            target = os.path.realpath(path, strict=True) if linked else inside
            status = os.stat(target) if linked else status
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, RuntimeError) as error:  # a loop of links
            raise PictureFault(f"can't be followed ({error})", self._inside) from error
        self._check_inside(target)
        if not stat.S_ISREG(status.st_mode):
            return None
        stamp = _stamp(status)
        watched = ((path, stamp),)
        return PictureFile("", path, status.st_size, stamp, watched, partial(_content, path))

    def _opened(self) -> list[tuple[Zip, str]]:
        if self._zips is None:
            self._zips = [(Zip(path), stamp_of(path)) for path in self._paths]
        return self._zips

    def _in_zips(self, parts: list[str]) -> PictureFile | None:
        for archive, stamp in self._opened():
            member = archive.find(parts)
            if member is None:
                continue
            zipped = (str(archive.path), stamp)
            # A file added beside the zip would take precedence.
            beside = ("/".join([self._prefix, *parts]), ABSENT)
            return PictureFile(
                zipped[0],
                member,
                archive.size(member),
                f"{stamp}:{archive.crc(member)}",
                (zipped, beside) if self._folder else (zipped,),
                partial(archive.read, member, MAX_FILE_BYTES),
            )
        return None


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _stamp(status: os.stat_result) -> str:
    # The inode too: a redirected link keeps its path.
    return (
        f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"
        f":{status.st_dev}:{status.st_ino}"
    )
