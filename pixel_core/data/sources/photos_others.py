"""Describes the files of a photos folder that are not photos: by kind, with the remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from pixel_core.data.sources.folder import is_hidden
from pixel_core.media.unread_pictures import HEIC

#: Suffixes by kind, with the kind in words.
_KINDS: tuple[tuple[str, frozenset[str]], ...] = (
    (HEIC, frozenset([".heic", ".heif", ".hif", ".heics"])),
    (
        "a camera's raw format; export it as JPEG",
        frozenset([".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef"])
        | frozenset([".nrw", ".srw", ".rwl", ".x3f", ".iiq", ".3fr", ".crw", ".gpr", ".mrw"]),
    ),
    (
        "not read here; export it as JPEG or PNG",
        frozenset([".jxl", ".psd", ".svg", ".pdf", ".eps", ".ai", ".tga", ".ico", ".dib"])
        | frozenset([".exr", ".hdr", ".pfm", ".xcf"]),
    ),
    (
        "video; ask about it through the source videos",
        frozenset([".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".wmv"]),
    ),
    (
        "packed; unpack it",
        frozenset([".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst"]),
    ),
)
_OTHER, _HIDDEN = "", "hidden"
#: The most suffixes listed for one kind.
_MOST = 5


def told_of(names: Iterable[str]) -> str:
    """ "3 .heic (HEIC, which ...); 2 .json, 1 without an ending; 1 hidden"; "" for no names."""
    kinds: dict[str, Counter[str]] = {}
    for name in names:
        kind, ending = _kind(name)
        kinds.setdefault(kind, Counter())[ending] += 1
    order = [words for words, _ in _KINDS] + [_OTHER, _HIDDEN]
    told = []
    for kind in sorted(kinds, key=order.index):
        endings = _endings(kinds[kind])
        told.append(endings if kind in (_OTHER, _HIDDEN) else f"{endings} ({kind})")
    # A name may hold bytes that are not text, which no terminal and no log accepts.
    return "; ".join(told).encode("utf-8", "backslashreplace").decode()


def _kind(name: str) -> tuple[str, str]:
    ending = PurePosixPath(name).suffix.lower()
    if is_hidden(name):
        return _HIDDEN, _HIDDEN
    found = next((words for words, endings in _KINDS if ending in endings), _OTHER)
    return found, ending or "without an ending"


def _endings(counts: Counter[str]) -> str:
    told = [f"{count} {ending}" for ending, count in counts.most_common(_MOST)]
    if rest := counts.total() - sum(count for _, count in counts.most_common(_MOST)):
        told.append(f"{rest} others")
    return ", ".join(told)
