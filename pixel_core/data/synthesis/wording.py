"""Composes the text of a trajectory's turns from a style's phrases.

A style is a TOML file in ``templates/``. Its tables ``picture`` and ``video`` hold the parts
of a trajectory and their phrases; ``shared`` holds phrases for both. An entry is a list from
which one is drawn; ``{name}`` in it stands for a given value (see ``VALUES``) or else for
another entry. The masked part of a wrong turn is known from where its call was inserted
during composition; a text is never searched.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from string import Formatter

from pixel_core.records import Span

#: The parts of each medium. ``first`` and those that begin with "after" end in a call.
PARTS = {
    "picture": ("first", "after_wrong", "after_too_large", "final", "direct"),
    "video": ("first", "after_wrong", "final", "direct"),
}

#: Placeholders that a template's file does not define: ``subject`` (``Subject`` begins a
#: sentence), ``call``, ``at`` (pointing words, such as a box's corner), ``answer`` and
#: ``boxed``. ``whole`` and ``local``, an annotator's texts, replace the entries of these
#: names.
VALUES = frozenset({"subject", "Subject", "call", "at", "answer", "boxed"})

#: Coordinates and calls are not prose: a number in them leaks nothing.
_NO_PROSE = frozenset({"call", "at"})

_Piece = tuple[str, str]  # characters, then a name ("" for none)
_Phrase = tuple[_Piece, ...]


@dataclass(frozen=True, slots=True)
class Worded:
    """A turn's text. ``call``: the span of the call in it. ``prose``: the text without the
    call and the pointing words."""

    text: str
    call: Span | None
    prose: str

    def untrained(self, style: Style) -> tuple[Span, ...]:
        """The masked spans if the turn's operation is a wrong one."""
        if style.untrained == "turn" or self.call is None:
            return ((0, len(self.text)),)
        return (self.call,)


class Style:
    """A style's phrases. ``untrained``: "call" if the words before a wrong call are trained,
    "turn" if they already are the mistake. ``nameless``: what to call the cue's subject when
    it has no name, by medium."""

    def __init__(self, name: str) -> None:
        folder = files("pixel_core.data.synthesis").joinpath("templates")
        table = tomllib.loads(folder.joinpath(f"{name}.toml").read_text(encoding="utf-8"))
        self.untrained: str = table["untrained"]
        self.nameless: Mapping[str, str] = table["nameless"]
        self._media: dict[str, dict[str, list[_Phrase]]] = {
            medium: {
                entry: [_compiled(phrase) for phrase in phrases]
                for entry, phrases in (table["shared"] | table[medium]).items()
            }
            for medium in PARTS
        }
        self._check(name)

    def write(
        self, medium: str, part: str, values: Mapping[str, str], rng: random.Random
    ) -> Worded:
        """A part's text, its phrases drawn from the random stream."""
        pieces: list[_Piece] = []
        _compose(self._media[medium], part, values, rng, pieces)
        text = "".join([characters for characters, _ in pieces])
        place, call = 0, None
        for characters, name in pieces:
            if name == "call":
                call = (place, place + len(characters))
            place += len(characters)
        prose = "".join([characters for characters, name in pieces if name not in _NO_PROSE])
        return Worded(text, call, prose)

    def _check(self, style: str) -> None:
        """``ValueError`` for an undefined name, which a rare draw might otherwise hide."""
        for medium, entries in self._media.items():
            asked = {
                name for phrases in entries.values() for phrase in phrases for _, name in phrase
            }
            unknown = (asked | set(PARTS[medium])) - VALUES - {""} - set(entries)
            if unknown:
                raise ValueError(f"{style}.toml says nothing for {medium}: {sorted(unknown)}")


def _compose(
    entries: Mapping[str, list[_Phrase]],
    entry: str,
    values: Mapping[str, str],
    rng: random.Random,
    pieces: list[_Piece],
) -> None:
    """Append a draw of the entry: characters, each with the value's name they came from."""
    phrases = entries[entry]
    phrase = phrases[int(rng.random() * len(phrases))] if len(phrases) > 1 else phrases[0]
    for literal, asked in phrase:
        if literal:
            pieces.append((literal, ""))
        if asked in values:
            pieces.append((values[asked], asked))
        elif asked:
            _compose(entries, asked, values, rng, pieces)


def _compiled(phrase: str) -> _Phrase:
    return tuple((literal, name or "") for literal, name, _, _ in Formatter().parse(phrase))
