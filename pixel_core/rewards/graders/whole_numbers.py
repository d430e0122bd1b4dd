"""Whole numbers as people write them: in digits, and in English and Chinese words."""

from __future__ import annotations

import math
import re
import unicodedata
from itertools import pairwise, takewhile
from typing import NamedTuple

from pixel_core.rewards.graders.chinese_counts import chinese_count, is_chinese
from pixel_core.rewards.number_words import WORDS, leading_number
from pixel_core.rewards.units import unit_of

#: Anywhere, they make of a number a range, a guess, a denial or another number.
_UNSURE = """
    couple dozen dozens either few fewer half hundred hundreds least less many million millions
    maybe more most neither nor not or pair pairs perhaps possibly score several thousand
    thousands times versus
"""
#: They do so right before it ("about 2"; "around a table" is no guess).
_GUESS = """
    about above almost approximately around below beyond exceeding maybe minus nearly over
    perhaps plus possibly roughly some than to under until
"""
#: Right after it, they make it a part of one.
_PARTS = """
    third thirds quarter quarters fourth fourths fifth fifths sixth sixths seventh sevenths
    eighth eighths ninth ninths tenth tenths percent plus
"""
#: Of these there is none, or one, where somebody does not answer ("no idea", "no clear view").
_NO_COUNT = """
    answer certainty chance clue context detail details doubt evidence idea indication
    information luck matter means moment need point problem reason sense solution view way
"""
#: Of pictures there may be two, but "no picture" is a complaint.
_NO_PICTURE = "figure frame image input photo photograph picture region"
#: What is measured, not counted, by its one name (``units``), and times of day; feet, days and
#: dollars can be counted.
_MEASURES = "% ° °c °f km m cm mm mi in kg g mg lb pound oz l ml km/h mph m^2 km^2 x"
_CLOCK = "am pm a.m p.m o'clock o’clock"
#: After a noun they make of it a measure: "2 feet tall".
_SIZES = "tall high long wide deep thick away apart old"
#: Where the noun phrase after a number ends.
_BEYOND = "about around at by for from how in of on that to under what where which who with"
#: A number right after one of these is a name ("image 1").
_NAMED = re.compile(
    r"\b(?:area|crop|figure|fig\.?|frame|image|option|part|photo|picture|question|region|step)"
    r"s?\s+#?([^\s]+)"
)
_COMMAND = re.compile(r"\\[a-z]")
UNSURE, GUESSES = frozenset(_UNSURE.split()), frozenset(_GUESS.split())
_PART_WORDS, NO_COUNT = frozenset(_PARTS.split()), frozenset(_NO_COUNT.split())
_NONE_WORDS = NO_COUNT | frozenset(_NO_PICTURE.split())
BEYOND, _SIZE_WORDS = frozenset(_BEYOND.split()), frozenset(_SIZES.split())
_MEASURE_NAMES, _CLOCK_WORDS = frozenset(_MEASURES.split()), frozenset(_CLOCK.split())
#: How one says that there are none of something.
_ABSENT = frozenset({"no", "none", "nothing", "nobody"})
_DIGITS = re.compile(r"\d{1,9}(?:\.0+)?|\d{1,3}(?:,\d{3}){1,2}(?:\.0+)?", re.ASCII)
EDGES = "()[]{}\"'“”‘’.,;:!?*`$\\#"
#: Signs that make of a number a guess, a bound or a formula.
_SIGNS = frozenset("≈≥≤±<>≠→√")

_NOT_ANY = re.compile(r"\b(?:are|is)(?:n['’]t| not) any\b")
_SEE_NOT_ANY = re.compile(r"\b(i|we) do(?:n['’]t| not) (see|count|spot) any\b")
_SUM = re.compile(
    r"(?<![\w.,+*×=-])(?P<terms>\d{1,4}(?:\s?(?:\+|\*|×|(?<=\s)x(?=\s))\s?\d{1,4}){1,20})"
    r"\s?=\s?(?P<value>\d{1,6})(?!\d|[.,]\d|\s?[+*×=/-])"
)
#: What is said behind a count, part by part: "3 dogs: one on the left, two on the right".
_PARTED = re.compile(
    r"(?P<head>[^:(]{1,120}?)(?:\s?\((?P<inside>[^()]*)\)\W*$|:\s(?P<below>.*)$"
    r"|\s?[,;\u2014\u2013-]\s?(?:with\s)?(?P<listed>(?:\w+)\s(?:\w+\s)?(?:on|in|at|of|near|behind|to|with|under|by|is|are)\b.*)$)",
    re.DOTALL,
)
_ALTERNATIVE = re.compile(
    r"\b(?:or|not|maybe|perhaps|possibly|if|at least|at most|total|altogether|making|sum)\b"
)
_MONEY = re.compile(r"\$\s?\d[^$]*\Z|[€£¥₹]\s?\d|\d\s?[€£¥₹]")
#: Characters, and words beside the number ("there are 2 dogs in the picture").
MAX_CHARACTERS, MAX_WORDS = 200, 16


def whole_number(text: str) -> int | None:
    """The one whole number that ``text`` gives: "2", "two", "Twenty-one", "2.0", "2 dogs",
    "two (2)", "no dogs", "no one", "there are two", "one hundred", "3 dogs: one on the left
    ...", "#9", "3个". None for anything else: no number, two of them, a range ("2-3", "2 or
    3"), a guess ("about 2", "at least 2"), a fraction, a negative one, a measure ("2 km"),
    "2nd", "dozen", "image 2", "no idea", and what a LaTeX command stands in. "1 + 2 = 3" is 3.
    """
    if is_chinese(text):
        return chinese_count(text)
    found = number_in(without_parts(text))
    return None if found is None else found.value


def without_parts(text: str) -> str:
    """ "3 dogs" of "3 dogs: one on the left and two on the right"; the text where nothing is
    parted, or what follows may be another count ("2 (or 3)", "two (3)", "2: dogs")."""
    if len(text) > MAX_CHARACTERS * 2 or (found := _PARTED.fullmatch(text.strip())) is None:
        return text
    behind = found["inside"] or found["below"] or found["listed"] or ""
    counted = number_in(found["head"])
    if counted is None or len(behind.split()) < 2 or _ALTERNATIVE.search(behind.lower()):
        return text
    if found["below"] is not None and not counted.after:
        return text
    if found["listed"] is not None and leading_number(simple(behind).split()) is None:
        return text if not behind[:1].isdigit() else found["head"]
    return found["head"]


class NumberInText(NamedTuple):
    """A number, the words before it and after it, in small letters, and its last word."""

    value: int
    before: list[str]
    after: list[str]
    word: str


def number_in(text: str, most: int = MAX_WORDS) -> NumberInText | None:
    """The one number of a text that has at most ``most`` words."""
    if len(text) > MAX_CHARACTERS:
        return None
    plain = simple(text)
    if _COMMAND.search(plain) or _MONEY.search(plain):
        return None
    if _names_a_thing(plain) or not _SIGNS.isdisjoint(plain):
        return None
    words = [word.strip(EDGES) for word in plain.split()]
    words = _joined([word for word in words if word])
    if len(words) > most or not UNSURE.isdisjoint(words):
        return None
    values: list[tuple[int, int]] = []
    for place, (before, word) in enumerate(pairwise(["", *words])):
        value = value_of(word)
        if value is not None and before in GUESSES:
            return None
        if value is not None:
            values.append((place, value))
        elif any(char.isdigit() for char in word) or ("-" in word and _in_parts(word)):
            return None
    if not values or (len(values) > 1 and not _said_twice(values, words)):
        return None
    (first, value), (last, _) = values[0], values[-1]
    after = words[last + 1 :]
    if not after or _counts(words[last], after):
        return NumberInText(value, words[:first], after, words[last])
    return None


def _said_twice(values: list[tuple[int, int]], words: list[str]) -> bool:
    """ "two (2)", "2 (two)": in digits and in words, side by side."""
    (first, one), (second, other) = values[:2]
    forms = {words[first][0].isdecimal(), words[second][0].isdecimal()}
    return len(values) == 2 and one == other and second == first + 1 and len(forms) == 2


def _counts(number: str, after: list[str]) -> bool:
    """Whether the words after a number can be what is counted."""
    if after[0] in _PART_WORDS or after[0] in _CLOCK_WORDS or _measures(after):
        return False
    refused = _NONE_WORDS if number == "no" else NO_COUNT
    return refused.isdisjoint(phrase(after))


def _measures(after: list[str]) -> bool:
    """ "3 km", "3 in", "2 feet tall"; not "3 pound coins"."""
    nouns = phrase(after)
    if nouns[1:] and nouns[-1] in _SIZE_WORDS:
        return len(nouns) == 2
    return unit_of(" ".join(nouns or after)) in _MEASURE_NAMES


def phrase(after: list[str]) -> list[str]:
    """The noun phrase right after a number."""
    return list(takewhile(lambda word: word not in BEYOND, after))


def _names_a_thing(plain: str) -> bool:
    return any(is_number(found[1].strip(EDGES)) for found in _NAMED.finditer(plain))


def is_number(word: str) -> bool:
    return bool(word) and value_of(word) is not None


def simple(text: str) -> str:
    """Small letters, one kind of dash, "/" as a dash; of a sum that is right its value."""
    text = text if text.isascii() else unicodedata.normalize("NFKC", text)
    for dash in "‐‑‒–—−":
        text = text.replace(dash, "-")
    text = _NOT_ANY.sub("are no", text.lower().replace("/", "-"))
    text = _SEE_NOT_ANY.sub(r"\1 \2 no", text) if " any" in text else text
    return _SUM.sub(_summed, text) if "=" in text else text


def _summed(found: re.Match[str]) -> str:
    """The value of "1 + 2 = 3"; a sum that is wrong as it is."""
    terms = re.sub(r"\s", "", found["terms"]).split("+")
    total = sum(math.prod(map(int, re.split(r"[*×x]", term))) for term in terms)
    return found["value"] if total == int(found["value"]) else found[0]


def _joined(words: list[str]) -> list[str]:
    """ "twenty one" as "=21", "one hundred" as "=100", "no one" as "nobody"; "each one" is no
    number."""
    joined: list[str] = []
    place = 0
    while place < len(words):
        word = words[place]
        number = leading_number(words[place : place + 8])
        if word == "one" and joined and joined[-1] == "no":
            joined[-1] = "nobody"
        elif word == "one" and joined and joined[-1] in ("each", "every"):
            joined[-1] += "one"
        elif number is not None:
            joined.append(f"={number[0]}")
            place += number[1] - 1
        else:
            joined.append(word)
        place += 1
    return joined


def value_of(word: str) -> int | None:
    if word in WORDS:
        return WORDS[word]
    if word in _ABSENT:
        return 0
    if word[0] == "=" and word[1:].isdecimal():
        return int(word[1:])
    if word[0].isdigit():
        return int(word.partition(".")[0].replace(",", "")) if _DIGITS.fullmatch(word) else None
    return None


def _in_parts(word: str) -> bool:
    """Whether one of the words that a dash joins is a number ("two-three", "two-door")."""
    return any(part in WORDS or part in UNSURE for part in word.split("-"))
