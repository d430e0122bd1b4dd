"""Reads pictures and videos from a zip without unpacking it.

No member reaches the disk under its own name, so no name can lead anywhere; only members that
a record asks for are read, and no further than the size they state.
"""

from __future__ import annotations

import io
import stat
import threading
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pixel_core.errors import DataError
from pixel_core.media.file_names import Names, composed, member_name, stated_name, tidied

# The error for one unusable picture of a record.


class PictureFault(Exception):
    """A picture's fault and the remedy; reported with the record's place."""

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(fault)
        self.fault = fault
        self.remedy = remedy


_ENCRYPTED = 0x1
_REPACK = "pack the zip again"
#: 7-Zip packs such zips with -mcu=on, Info-ZIP always, Windows from Windows 11 on.
UTF8_NAMES = "pack the zip again with names in UTF-8 (7z a -tzip -mcu=on, or zip on Linux)"
#: Bytes of a member held during copying.
_PIECE = 1 << 20

#: Exceptions of ``zipfile`` on damaged or hostile content.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class Zip:
    """A zip of pictures; keeps its directory in memory, about 600 bytes per member.

    Raises ``DataError`` if it is not a zip. Thread-safe.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            self._zip = zipfile.ZipFile(path)
        except _DAMAGE as error:
            raise DataError(
                f"{str(path)!r} is not a readable zip ({error}); fetch it again, or take it "
                "out of the pictures folder"
            ) from error
        self._folders: dict[str, list[str]] | None = None
        self._names: Names | None = None
        self._folder_names: Names | None = None
        #: Keys by the intended names: those stated by Info-ZIP's field, and tidied ones.
        self._keys: dict[str, str] | None = None
        names = self._zip.NameToInfo
        self._twice: set[str] = set()
        if len(names) < len(self._zip.filelist):
            seen: set[str] = set()
            for info in self._zip.filelist:
                (self._twice if info.filename in seen else seen).add(info.filename)

    def find(self, parts: list[str]) -> str | None:
        """The member a record's path means: that path; or, for a zip of a folder's content,
        the path below that folder; or, for a zip of the folder, the path inside it.

        Raises ``PictureFault`` if several members' names could be read as the path.
        """
        for candidate in self._candidates(parts):
            # Some packers on Windows write backslashes, against the specification.
            for mark in "/\\":
                name = mark.join(candidate)
                if found := name and self._named_so(name):
                    return found
        return None

    def _named_so(self, name: str) -> str | None:
        info = self._zip.NameToInfo.get(name)
        # A name in an unstated encoding may match several members.
        if info is not None and member_name(info)[1] is None:
            return name
        if name.isascii():
            return self._renamed().get(name)
        if self._names is None:
            self._names = Names(self._named())
        found = self._names.find(name)
        return self._only(found) if found else None

    def _renamed(self) -> dict[str, str]:
        if self._keys is None:
            named = ((_meant(info), info.filename) for info in self._zip.filelist)
            self._keys = {name: key for (name, _), key in named if name != key}
        return self._keys

    @property
    def unsaid(self) -> bool:
        """Whether any name is in an unstated encoding."""
        return any(member_name(info)[1] is not None for info in self._zip.filelist)

    def _named(self) -> Iterator[tuple[str, bytes | None]]:
        """Each member's name, with its bytes if their encoding is unknown."""
        return map(_meant, self._zip.filelist)

    def _only(self, found: list[str]) -> str:
        if len(found) > 1:
            raise PictureFault(
                f"could be any of {len(found)} members of {self.path.name}: it does not say "
                "how their names are encoded",
                UTF8_NAMES,
            )
        return self._renamed().get(found[0], found[0])

    def _candidates(self, parts: list[str]) -> list[list[str]]:
        found = [parts, [self.path.stem, *parts]]
        if composed(parts[0]) == composed(self.path.stem):
            found.insert(1, parts[1:])
        return found

    def size(self, member: str) -> int:
        return self._zip.NameToInfo[member].file_size

    def crc(self, member: str) -> int:
        return self._zip.NameToInfo[member].CRC

    def names_below(self, parts: list[str]) -> list[str]:
        """The files directly in a folder of the zip, without its path; see ``find``."""
        if self._folders is None:
            self._folders = defaultdict(list)
            raws: dict[str, bytes | None] = {}
            for info in self._zip.filelist:
                name, raw = member_name(info)
                name = tidied(name)
                folder, _, last = name.rpartition("/" if "/" in name else "\\")
                if last:
                    self._folders[folder].append(last)
                    unsaid = raw is not None and not folder.isascii()
                    raws[folder] = folder.encode("cp437") if unsaid else None
            self._folder_names = Names(raws.items())
        assert self._folder_names is not None
        folders = [mark.join(one) for one in self._candidates(parts) for mark in "/\\"]
        for folder in folders:
            if names := self._folders.get(folder):
                return sorted(set(names))
            found = [] if folder.isascii() else self._folder_names.find(folder)
            if found:
                return sorted(set(self._folders[self._only(found)]))
        return []

    def read(self, member: str, limit: int) -> bytes:
        """At most ``limit`` bytes. Raises ``PictureFault`` unless it is a plain, whole file."""
        with io.BytesIO() as out:
            self.copy(member, out, limit)
            return out.getvalue()

    def copy(self, member: str, out: IO[bytes], limit: int) -> None:
        """As ``read``, into a file, a megabyte at a time."""
        info = self._zip.NameToInfo[member]
        where = f"in {self.path.name}"
        if member in self._twice:
            raise PictureFault(f"stands {where} twice", _REPACK)
        if stat.S_ISLNK(info.external_attr >> 16):
            raise PictureFault(f"is a link {where}", "put the file itself into the zip")
        if info.flag_bits & _ENCRYPTED:
            raise PictureFault(f"is encrypted {where}", "pack the zip again without a password")
        if info.file_size > limit:
            raise PictureFault(
                f"has {info.file_size} bytes {where}", f"keep it under {limit} bytes"
            )
        # One reader at a time: the members share the file's position.
        with self._lock:
            for piece in self._pieces(info, where):
                out.write(piece)

    def _pieces(self, info: zipfile.ZipInfo, where: str) -> Iterator[bytes]:
        left = info.file_size + 1
        try:
            with self._zip.open(info) as file:
                while data := file.read(min(_PIECE, left)):
                    left -= len(data)
                    yield data
        except _DAMAGE as error:
            raise PictureFault(f"is damaged {where} ({error})", _REPACK) from error
        if left != 1:
            raise PictureFault(f"is not as long {where} as it says", _REPACK)

    def close(self) -> None:
        self._zip.close()


def _meant(info: zipfile.ZipInfo) -> tuple[str, bytes | None]:
    """A member's intended name, and its bytes if their encoding is unknown."""
    name, raw = member_name(info)
    if raw is not None and (said := stated_name(info)):
        return tidied(said), None
    name = tidied(name)
    return name, None if raw is None else name.encode("cp437")
