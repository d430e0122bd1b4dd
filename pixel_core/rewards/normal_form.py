r"""One normal form of an answer, for the reward and for every grader.

| does not count | example: these are one answer |
|---|---|
| what LaTeX, Markdown, HTML wrap (``unwrapping``) | red, ``\text{red}``, ``**red**`` |
| case, white space, full-width forms | Light Blue, lightblue, ｌｉｇｈｔ ｂｌｕｅ |
| quotes and brackets around it; full stops at its end | "red", (red), red. |
| punctuation between letters; an article before a word | light-blue, light blue; a cat |
| "and" or a comma between what is listed | red and blue; red, blue |
| commas and thin blanks that group thousands | 1,200, ``1{,}200``, ``1\,200``, 1200 |
| needless zeros and plus signs of a number | 7, 7.0, 07, +7 |
| a number in words, or with a letter | seven, 7; one hundred dogs, 100 dogs; $2M, $2 million |
| how a unit or currency is written, on either side | 5 km, 5km, 5 kilometres; $20, 20$ |
| a percent, degree or currency sign that one side lacks | 7%, 7; $20, 20 |
| kinds of dashes, blanks around them, "to" of a range | 10-15, 10 – 15, 10 to 15 |
| where a range says its unit | 10-15%, 10%-15%, 10 to 15 percent |

| counts | example: none of these is another |
|---|---|
| signs | -5 °C, 5 °C |
| decimal points | 12.5 km, 125 km; 1.5 million, 15 million |
| separators between digits: ranges, times, dates, versions | 10-15, 1015; 3:30, 330; 1.2.3 |
| fractions | 1/2, 12; 1 1/2, 11/2 |
| exponents | 10^2, 102 |
| units and currencies | 5 km, 5 miles, 5; $20, €20 |
| symbols and marks | C, C++, C#; Devanagari vowels |
| signs and brackets of a formula (``formulas``) | -x, x; 2(x+1), 2x+1; blood A-, A |
| zeros before a whole number in the reference: a code to be read | 007 is not 7 |

Not equated: units with one another (1 km, 1000 m), fractions and decimals (1/2, 0.5: a score or
a date may be meant), date formats. ``same`` is symmetric but for codes.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from pixel_core.rewards.amounts import CODE, Amount, amount_range, one_amount, with_capital
from pixel_core.rewards.formulas import formula_signs, half_open
from pixel_core.rewards.number_words import CHINESE_DIGITS, WORDS
from pixel_core.rewards.units import CURRENCIES, same_unit, unit_of
from pixel_core.rewards.unwrapping import unwrapped

_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_ENCLOSING = {
    '"': '"',
    "'": "'",
    "“": "”",
    "‘": "’",
    "«": "»",
    "„": "“",
    "「": "」",
    "『": "』",
    "(": ")",
    "[": "]",
    "{": "}",
    "《": "》",
    "【": "】",
    "〈": "〉",
    "`": "`",
}
_ENDS = " \t\n.,;:!?。、！，；：？…"
#: Vulgar fractions and raised digits: NFKC would make "1½" eleven halves, and 10² 102.
_VULGAR = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")
_RAISED = re.compile(r"(?<=[\w)])([⁰¹²³⁴-⁹⁻]+)")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_ARTICLE = re.compile(r"(?:the|an?)\s+(?!(?:and|or)\b)(?=[^\W\d_]{2})")

#: Characters; a longer text is no answer.
_MAX_TEXT = 8192
#: Digits that something parts, in a text of letters, digits and blanks.
_PARTED = re.compile(r"\d(?: ?x ?| to | )\d")
_DIGIT = re.compile(r"\d")
_ARTICLES = frozenset({"a", "an", "the"})
#: What a number in words may begin with.
_NUMERAL = frozenset({*WORDS, *CURRENCIES, "a", "an", "minus", "negative"})

#: Separators between digits, each by one sign; "x" between digits is "times".
_BETWEEN = re.compile(r"(?<=[\d%°])\s*(?:([:/^])|(-+|\bto\b|~)|([×*x·⋅∙]))\s*(?=[\d.$€£¥])")
_GAP = re.compile(r"(?<=\d)(?:\s*[,;]\s*|\.\s+|\s+)(?=[\d.])")
_SIGN = re.compile(r"(?<![\w.])-\s*(?=[\d.$€£¥])")
_POINT = re.compile(r"(?<=\d)\.(?=\d)|(?<![\w.])\.(?=\d)")
_COLON = re.compile(r"(?<=\d):(?=\d)")
_FEET = re.compile(r"(?<=\d)(['\"]|_(?=\d))")
_SHARP = re.compile(r"(?<=[^\W\d_])#")
#: Whatever else is dropped between two digits parts them.
_PARTS = re.compile(r"(?<=\d)[\s!\"#&'()*,.;?\[\\\]{}、。•“”‘’«»「」-]+(?=\d)")
_INCHES = re.compile(r"(?<=\d)\s?''")
_AND = re.compile(
    r"(?:\s*,\s*(?:(?:and|&)\s+)?|\s+(?:and|&)\s+)(?:(?:the|an?)\s+(?=[^\W\d_]{2}))?"
)
#: "9 am - 5 pm": a range whose lower end has its unit.
_UNIT_RANGE = re.compile(
    r"(?<=\d)(\s?(?:[^\W\d_]{1,5}|[ap]\.m\.))\s*(?:-+|\bto\b)\s*(?=[\d.$€£¥])"
)
_CLOCK = re.compile(r"(?<![\d:./-])0(?=\d:\d\d(?!\d))")
#: Stand-ins for signs that count; all are of the private area.
_KEPT = {"point": "\ue010", "range": "\ue011", "gap": "\ue012", "sign": "\ue013"}
_KEPT |= {"colon": "\ue014", "'": "\ue015", '"': "\ue016", "#": "\ue017", "/": "\ue018"}
_KEPT |= {"%": "\ue019", "@": "\ue01a", "times": "\ue01b", "_": "\ue01c"}
_PRIVATE = frozenset([*_KEPT.values(), "\ue020", "\ue021", "\ue022", "\ue023"])
_ASCII_KEPT = str.maketrans(
    {chr(c): None for c in range(128) if unicodedata.category(chr(c))[0] in "PZC"}
    | {"&": "and"}
    | {char: _KEPT[char] for char in "/%@"}
)


class Normal(NamedTuple):
    """``text``: what is compared where there is no value; ``bare``: without an article.
    ``value`` with ``unit`` ("" for none): of a text that is one amount, or with ``upper`` a
    range. ``code``: whole digits that begin with a needless zero."""

    text: str
    bare: str
    value: Decimal | None = None
    unit: str = ""
    code: bool = False
    upper: Decimal | None = None


def same(reference: Normal, answer: Normal) -> bool:
    """Whether an answer is the reference, by the rules above."""
    if reference.text == answer.text or reference.bare == answer.bare:
        return bool(answer.text)
    if reference.value is None or answer.value is None or reference.code:
        return False
    if reference.value != answer.value or reference.upper != answer.upper:
        return False
    return same_unit(reference.unit, answer.unit)


@lru_cache(maxsize=16384)
def normal(text: str) -> Normal:
    """The normal form of a text as it was written; of one that is too long for an answer the
    text itself, in small letters."""
    if len(text) > _MAX_TEXT:
        return _nothing(text)
    if (
        text.isascii()
        and (joined := "".join(words := text.lower().split())).isalnum()
        and (found := _of_plain_words(text, words, joined)) is not None
    ):
        return found
    plain = _tidied(half_open(_folded(unwrapped(text))))
    if not plain:
        return _nothing(text)
    if plain.isalpha() and plain not in WORDS and not _is_chinese_number(plain):
        return Normal(plain, plain)
    if "," in plain:
        plain = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), plain)
    squashed = _squash(plain)
    article = _ARTICLE.match(plain)
    listed = _AND.sub(", ", plain[article.end() :] if article else plain)
    bare = squashed if listed == plain else _squash(listed)
    if not squashed:
        return _nothing(text)
    code = CODE.fullmatch(plain) is not None
    if amount := one_amount(plain):
        return Normal(squashed, bare or squashed, *_valued(text, amount), code)
    if span := amount_range(plain):
        low, high, unit = span
        return Normal(squashed, bare or squashed, low, _unit(unit), upper=high)
    return Normal(squashed, bare or squashed, code=code)


def _of_plain_words(written: str, words: list[str], text: str) -> Normal | None:
    """Of letters, digits and blanks alone: most answers. The same as the long way; None for
    what only that can read. ``text``: the words without blanks."""
    first = words[0]
    if "and" in words or "to" in words:
        return None
    if text.isalpha() and first not in _NUMERAL:
        if first in _ARTICLES and _is_word(words[1:]):
            return Normal(text, text[len(first) :])
        return Normal(text, text)
    plain = " ".join(words)
    parted = _PARTED.search(plain) is not None
    bare = text = _squash(plain) if parted else text
    if first in _ARTICLES and _is_word(words[1:]):
        bare = _squash(" ".join(words[1:])) if parted else text[len(first) :]
    if not (first[0].isdigit() or first in _NUMERAL):
        return Normal(text, bare)
    amount = one_amount(plain)
    value, unit = _valued(written, amount) if amount else (None, "")
    return Normal(text, bare, value, unit, CODE.fullmatch(plain) is not None)


def _is_word(words: list[str]) -> bool:
    """Whether an article's word follows."""
    return bool(words) and words[0][:2].isalpha() and len(words[0]) > 1


def _nothing(text: str) -> Normal:
    """Nothing but punctuation: kept as it is, so that "?" can be an answer."""
    left = unicodedata.normalize("NFKC", text).casefold().strip()
    return Normal(left, left)


def _folded(text: str) -> str:
    """Compatible forms and case made one; white space is blanks, dashes are hyphens."""
    if text.isascii():
        return _INCHES.sub('"', " ".join(text.lower().split()))
    text = _RAISED.sub(
        lambda found: "^" + unicodedata.normalize("NFKC", found[1]), _VULGAR.sub(" ", text)
    )
    text = text.replace("\u02da", "°").replace("º", "°")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    folded = folded.translate(_DASHES).replace("\N{FRACTION SLASH}", "/")
    folded = _INCHES.sub('"', folded.replace("\N{PRIME}", "'"))
    folded = "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char
        for char in folded
        if unicodedata.category(char) != "Cf"
    )
    return " ".join(folded.split())


def _tidied(text: str) -> str:
    """Without what may enclose all of it, and the full stops at its end."""
    while text:
        before = text
        text = text.rstrip(_ENDS).lstrip(" ,;:!?。、…")
        if len(text) > 1 and text[0] == "." and not text[1].isdigit():
            text = text.lstrip(". ")
        if text[:1] == "=" or (text[:1] == "#" and text[1:2].isdigit()):
            text = text[1:]
        if len(text) > 2 and _ENCLOSING.get(text[0]) == text[-1] and _encloses(text):
            text = text[1:-1]
        if text == before:
            break
    return text


def _encloses(text: str) -> bool:
    """Whether the first sign is closed by the last: not so in "(1) and (2)"."""
    opening, closing = text[0], text[-1]
    inside = text[1:-1]
    if opening == closing:
        # Quotes in quotes, or the sign for inches; not so in "one" and "two".
        before = inside[: inside.find(opening)] if inside.count(opening) > 1 else ""
        return not any(char.isalnum() for char in before)
    depth = 0
    for char in inside:
        depth += (char == opening) - (char == closing)
        if depth < 0:
            return False
    return depth == 0


def _squash(text: str) -> str:
    """Without the white space and punctuation that do not count."""
    if text.isalnum() and not _PARTED.search(text):
        return text
    if _DIGIT.search(text):
        text = _CLOCK.sub("", text)
        text = _BETWEEN.sub(_separator, text)
        text = _UNIT_RANGE.sub(rf"\1{_KEPT['range']}", text)
        text = _GAP.sub(_KEPT["gap"], text)
        text = _COLON.sub(_KEPT["colon"], text)
        text = _SIGN.sub(_KEPT["sign"], text)
        text = _POINT.sub(_KEPT["point"], text)
        text = _FEET.sub(lambda found: _KEPT[found[1]], text)
    text = formula_signs(text)
    if _DIGIT.search(text):
        text = _PARTS.sub(_KEPT["gap"], text)
    if "#" in text:
        text = _SHARP.sub(_KEPT["#"], text)
    text = text.translate(_ASCII_KEPT)
    if text.isascii():
        return text
    text = text.replace("×", "x")
    return "".join(c for c in text if c in _PRIVATE or unicodedata.category(c)[0] not in "PZC")


def _separator(found: re.Match[str]) -> str:
    if found[1]:
        return {":": _KEPT["colon"], "/": _KEPT["/"], "^": "^"}[found[1]]
    return _KEPT["range"] if found[2] else _KEPT["times"]


def _valued(written: str, amount: Amount) -> Amount:
    value, unit = with_capital(written, amount)
    return value, _unit(unit)


def _unit(text: str) -> str:
    """A unit by its one name; what is none, as words are compared."""
    return text if unit_of(text) is not None else _squash(text)


def _is_chinese_number(text: str) -> bool:
    return not text.isascii() and (text[0] in CHINESE_DIGITS or text[0] in "负負")
