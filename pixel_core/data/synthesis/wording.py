"""The words of a trajectory's turns, composed from a style's phrases.

A style is a TOML file in ``templates/``. Its tables ``picture`` and ``video`` hold the parts
of a trajectory and the phrases they are made of; ``shared`` holds phrases of both. An entry
is a list of which one is drawn; ``{name}`` in it stands for a value given (see ``Values``) or
else for another entry. What is masked of a wrong turn is known by where its call was put
while the text was made; a text is never searched.
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

#: What a template may ask for that its file does not hold: ``subject`` (``Subject`` begins a
#: sentence), ``call``, ``at`` (words that point, such as a box's corner), ``answer`` and
#: ``boxed``. ``whole`` and ``local``, an annotator's texts, stand in for the entries of
#: these names.
VALUES = frozenset({"subject", "Subject", "call", "at", "answer", "boxed"})

#: Coordinates and calls are no prose: a number in them gives nothing away.
_NO_PROSE = frozenset({"call", "at"})

_Piece = tuple[str, str]  # characters, then a name ("" for none)
_Phrase = tuple[_Piece, ...]


@dataclass(frozen=True, slots=True)
class Worded:
    """A turn's text. ``call``: where the call stands in it. ``prose``: without the call and
    the words that point."""

    text: str
    call: Span | None
    prose: str

    def untrained(self, style: Style) -> tuple[Span, ...]:
        """What is masked of it when its operation is a wrong one."""
        if style.untrained == "turn" or self.call is None:
            return ((0, len(self.text)),)
        return (self.call,)


class Style:
    """A style's phrases. ``untrained``: "call" where the words before a wrong call are
    trained, "turn" where they already are the mistake. ``nameless``: what to call the cue's
    subject when it has no name, by medium."""

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
        """``ValueError`` for a name that nothing stands for: it may be drawn rarely."""
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
