"""Matches a name spelled in several ways: composed or decomposed, UTF-8 or older encodings.

A Mac writes "é" as two characters (NFD), most others as one (NFC), and copying preserves that:
a record's path and its file's name may differ though they read alike. By the specification, a
zip name without the UTF-8 flag is in code page 437; in fact it is in the code page of the
machine that packed it, which the zip does not state. The record that asks for the name decides:
its spelling, encoded, either equals the bytes in the zip or does not.

Source: PKWARE's APPNOTE, 4.4.4 (bit 11) and 4.6.9 (Info-ZIP's Unicode path, 0x7075).
"""

from __future__ import annotations

import itertools
import os
import re
import struct
import unicodedata
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable

#: Of Windows and DOS machines; many packers write UTF-8 without the flag.
ENCODINGS = (
    *("utf-8", "cp437", "gb18030", "cp932", "cp949", "big5"),
    *("cp850", "cp1252", "cp1251", "cp866"),
)
#: Tried if none of those fits: other languages' and other systems' encodings.
_RARER = (
    *("cp852", "cp1250", "cp737", "cp1253", "cp857", "cp1254", "cp862", "cp1255", "cp720"),
    *("cp1256", "cp775", "cp1257", "cp874", "cp1258", "cp860", "cp861", "cp863", "cp865"),
    *("koi8-r", "koi8-u", "iso8859-2", "mac-roman", "euc-jp"),
)
_UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075


def composed(name: str) -> str:
    """The canonical form, equal for names that read alike."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


class Names:
    """Looks up names in any spelling. ``raw``: the bytes of a name in an unknown encoding, or
    None."""

    def __init__(self, named: Iterable[tuple[str, bytes | None]]) -> None:
        self._composed: dict[str, set[str]] = defaultdict(set)
        self._raw: dict[bytes, set[str]] = defaultdict(set)
        for key, raw in named:
            if raw is None:
                self._composed[composed(key)].add(key)
            else:
                self._raw[raw].add(key)

    def find(self, name: str) -> list[str]:
        """The keys that read as ``name``, sorted. More than one: it is ambiguous."""
        found = set(self._composed.get(composed(name), ()))
        if self._raw:
            found |= self._encoded(name, ENCODINGS)
        if self._raw and not found:
            found = self._encoded(name, _RARER)
        return sorted(found)

    def _encoded(self, name: str, encodings: Iterable[str]) -> set[str]:
        found: set[str] = set()
        forms = dict.fromkeys((name, composed(name), unicodedata.normalize("NFD", name)))
        for form, encoding in itertools.product(forms, encodings):
            try:
                found |= self._raw.get(form.encode(encoding), set())
            except UnicodeEncodeError:
                continue
        return found


_UNTIDY = re.compile(r"^(?:\.?/+)+|(?<=/)(?:\.?/+)+")


def tidied(name: str) -> str:
    """A member's path without redundant parts: leading ``./`` and ``/``, and ``//`` and ``/./``
    inside, as some packers write them."""
    return _UNTIDY.sub("", name) if name[:1] in "./" or "//" in name or "/./" in name else name


def member_name(info: zipfile.ZipInfo) -> tuple[str, bytes | None]:
    """A zip member's name as ``zipfile`` read it, which is its key, and its bytes if the zip
    does not state their encoding."""
    if info.flag_bits & _UTF8_FLAG or info.filename.isascii():
        return info.filename, None
    return info.filename, info.orig_filename.encode("cp437")


def stated_name(info: zipfile.ZipInfo) -> str:
    """The name in Info-ZIP's Unicode path field; "" if there is none that fits the name."""
    extra, raw = info.extra, info.orig_filename.encode("cp437", "replace")
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind != _UNICODE_PATH or len(body) < 6 or body[0] != 1:
            continue
        if struct.unpack_from("<L", body, 1)[0] == zlib.crc32(raw):
            return body[5:].decode("utf-8", "replace")
    return ""


def on_disk(root: str, parts: list[str]) -> list[list[str]]:
    """The existing paths below ``root`` that read as these parts, each spelled as in its
    folder; links are only followed as far as listing a folder follows them."""
    found: list[list[str]] = [[]]
    for part in parts:
        found = [
            [*path, name] for path in found for name in _alike("/".join([root, *path]), part)
        ]
    return found


def _alike(folder: str, part: str) -> list[str]:
    if part.isascii():
        return [part]
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return []
    # A name that is not UTF-8 was unpacked from such a zip.
    return Names((name, None if _is_text(name) else os.fsencode(name)) for name in names).find(
        part
    )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
