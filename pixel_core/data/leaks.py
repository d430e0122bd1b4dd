"""Does a text give an answer away? Checked for all text before the closer look.

A trajectory that states the answer before it looked teaches guessing (the paper calls it
bypassing the picture). The rule:

- Words are compared without case, punctuation, accents' encoding or spacing ("Light-blue"
  is in "a light blue car"); a plural is its singular. An answer counts as a whole: of
  "red umbrella", "red" alone gives nothing away.
- Numbers are compared by value, also when written as words up to ninety-nine: "7" is in
  "seven cards". Ordinals are not numbers, and "one" in "one of" or "this one" is not either.
- Everyday words ("no", "left", "on") and the letters "a" and "i" occur in many texts that
  give nothing away. They count only if they are stated as an answer: quoted, alone between
  punctuation, or after "answer is", "says", "reads" and the like. Other single letters count
  as words ("gate B"), in lower case only if stated as an answer.
- An answer of nothing but punctuation is never found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

#: A word; a number keeps its inner points, commas and colons.
_WORD = re.compile(r"[^\W_]+(?:(?<=\d)[.,:](?=\d)[^\W_]+)*(?:['’][^\W\d_]+)?")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII)
_PLAIN = re.compile(r"\d+(?:\.\d+)?", re.ASCII)

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_VALUES = {word: value for value, word in enumerate(_UNITS.split())} | {
    word: 10 * place for place, word in enumerate(_TENS.split(), 2)
}
_BEFORE_PRONOUN_ONE = ("no", "each", "every", "any", "this", "that", "which", "only", "another")

_ARTICLES = ("a", "an", "the")
#: Words too common to give an answer away by merely occurring in a sentence.
_EVERYDAY_WORDS = (
    "a an the i it its he she they we you this that these those there here is are was be "
    "no not none nothing all any some both other of in on at to by for from with without "
    "and or as up down left right top bottom above below behind before after front back "
    "inside outside near over under between next open closed true false more less same "
    "different first second last"
)
_EVERYDAY = frozenset(_EVERYDAY_WORDS.split())
_SAYING = re.compile(
    r"(?:answer|option|choice|letter|word|number|digit)(?: is| says| reads)?[:,]? *$"
    r"|(?:says|say|said|reads|read|shows|spells|marked|labelled|labeled)[:,]? *$",
    re.IGNORECASE,
)
_QUOTES = "\"'“”‘’`«»()[]"
_ENDS = ".,;:!?\n"


@dataclass(frozen=True, slots=True)
class _Words:
    """A text's words, joined without gaps; ``at`` and ``to`` map where a word begins and ends
    in that string to where it does in ``text``."""

    text: str
    joined: str
    at: dict[int, int]
    to: dict[int, int]


def leaks(text: str, answers: Sequence[str]) -> bool:
    """Whether ``text`` states one of ``answers``, by the rule of this module."""
    if not text:
        return False
    words = _words(text)
    return any(_states(words, answer) for answer in answers)


def _states(words: _Words, answer: str) -> bool:
    tokens, guarded = _sought(answer)
    joined = "".join(tokens)
    place = words.joined.find(joined) if joined else -1
    while place >= 0:
        end = _end(words, place, tokens, joined)
        if end and not (guarded and not _is_said(words, place, end)):
            return True
        place = words.joined.find(joined, place + 1)
    return False


def _end(words: _Words, place: int, tokens: tuple[str, ...], joined: str) -> int:
    """The end of the words found at ``place``, with a plural ending; 0 if they are only parts
    of other words."""
    end = place + len(joined)
    if any(unicodedata.category(char) == "Lo" for char in joined):
        return end  # scripts without spaces between words
    if place not in words.at:
        return 0
    if len(tokens) == 1 and joined.isdigit() and any(place < i < end for i in words.at):
        return 0  # "1", then "0", is not 10
    if end in words.to:
        return end
    if len(joined) < 3 or not joined[-1].isalpha():
        return 0
    plurals = (
        end + len(plural) for plural in ("s", "es") if words.joined.startswith(plural, end)
    )
    return next((longer for longer in plurals if longer in words.to), 0)


def _is_said(words: _Words, place: int, end: int) -> bool:
    """Whether an everyday word is stated as an answer."""
    start, stop = words.at[place], words.to[end]
    said = words.text[start:stop]
    if len(said) == 1 and said.isupper() and said not in "AI":
        return True
    before, after = words.text[:start].rstrip(" "), words.text[stop:].lstrip(" ")
    if before[-1:] and before[-1] in _QUOTES and after[:1] and after[0] in _QUOTES:
        return True
    if after and after[0] not in _ENDS:
        return False
    return not before or before[-1] in _ENDS or _SAYING.search(before) is not None


@lru_cache(maxsize=8192)
def _sought(answer: str) -> tuple[tuple[str, ...], bool]:
    """The answer's words without a leading article, and whether they are everyday words."""
    tokens = [token for token, _ in _tokens(unicodedata.normalize("NFKC", answer))]
    if len(tokens) > 1 and tokens[0] in _ARTICLES:
        tokens = tokens[1:]
    guarded = bool(tokens) and all(
        token in _EVERYDAY or (len(token) == 1 and token.isascii() and token.isalpha())
        for token in tokens
    )
    return tuple(tokens), guarded


@lru_cache(maxsize=4096)
def _words(text: str) -> _Words:
    text = unicodedata.normalize("NFKC", text)
    at: dict[int, int] = {}
    to: dict[int, int] = {}
    parts: list[str] = []
    length = 0
    for token, (start, end) in _tokens(text):
        at[length] = start
        length += len(token)
        to[length] = end
        parts.append(token)
    return _Words(text, "".join(parts), at, to)


def _tokens(text: str) -> list[tuple[str, tuple[int, int]]]:
    """Normalised words with their positions in the text; numbers by value."""
    found = [(_plain(match[0]), match.span()) for match in _WORD.finditer(text)]
    tokens: list[tuple[str, tuple[int, int]]] = []
    place = 0
    while place < len(found):
        word, (start, end) = found[place]
        following = found[place + 1][0] if place + 1 < len(found) else ""
        value = _VALUES.get(word)
        if value is not None and value >= 20 and 0 < _VALUES.get(following, 0) < 10:
            value += _VALUES[following]
            end = found[place + 1][1][1]
            place += 1
        elif word == "one" and (
            following == "of" or (place and found[place - 1][0] in _BEFORE_PRONOUN_ONE)
        ):
            value = None
        tokens.append((word if value is None else str(value), (start, end)))
        place += 1
    return tokens


def _plain(word: str) -> str:
    if word.isascii() and word.isalpha():
        return word.lower()  # the common case: synthesis checks every turn
    word = unicodedata.normalize("NFKC", word.casefold())
    for possessive in ("'s", "’s"):
        word = word.removesuffix(possessive)
    word = word.replace("'", "").replace("’", "")
    if _GROUPED.fullmatch(word):
        word = word.replace(",", "")
    if _PLAIN.fullmatch(word):
        return f"{Decimal(word).normalize():f}"
    return word
