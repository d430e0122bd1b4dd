"""Which option a short text names: by its text, its letter, or both.

Tried in this order, the wrapping aside (``unwrapping``); options stand in the order they were
put, A first:

1. the option's text. Where options are themselves letters or numbers, "B" is the option that
   reads "B", not the second one;
2. its letter: "B", "b", "(B)", "B.", "B!", "option B", "（B）", "选项B";
3. its letter and its text: "B. red", "(B) red", "B:red", "B、red", "red (B)";
4. of options that are "yes" and "no" (是, 否): the word, or another for it ("nope", 没有), and
   a clause after it, "No, there is no dog.", unless it is unsure or says the other word, too.

A letter beside another option's text is a contradiction and names nothing that is right.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable

from pixel_core.rewards.answer_marks import MAX_ANSWER
from pixel_core.rewards.unwrapping import unwrapped

NONE: frozenset[int] = frozenset()
#: A letter beside another option's text, or another letter.
CONTRADICTION = frozenset({-1})

#: A letter as an option is named by it, its closing mark, and what follows: white space first,
#: or right after a mark, as in "B.red".
LETTERED = re.compile(
    r"[^\w(\[{]{0,3}(?:(?P<word>(?i:option|choice|answer|letter)|选项|選項|选择|選擇|选|選|答案)"
    r"\s{0,9}[\"'“‘]?)?(?P<open>[(\[{])?\s{0,9}"
    r"(?P<letter>[a-zA-Z])(?:[选選]?[项項])?\s{0,9}(?P<close>\\?[)\]}]?[.:,;)\]}\"'”’$!\u2013\u2014-]*)"
    r"(?P<rest>(?:\s.*)?|(?<=[.:,;)\]}])(?P<glued>\S.*))",
    re.DOTALL,
)
#: A letter in brackets after the option's text.
_LETTER_LAST = re.compile(
    r"(.*\S)(?:\s{0,3}[(\[]\s?(?P<within>[a-zA-Z])\s?[)\]]"
    r"|(?:\s?[,:]|\s[-\u2013\u2014])\s(?:(?i:option|choice)\s)?(?P<behind>[A-Z]))[.!]?",
    re.DOTALL,
)
#: The full-width forms of ASCII, and CJK marks; those that end something get a blank.
_WIDE = str.maketrans(
    {0xFEE0 + c: chr(c) for c in range(0x21, 0x7F)}
    | {"。": ". ", "、": ", ", "，": ", ", "：": ": ", "！": "! ", "；": "; ", "　": " "}
    | {"【": "[", "】": "]", "「": '"', "」": '"'}
)
#: A letter wrapped by itself is no article: ``\\text{A} \\text{cat}`` is A and "cat".
_WRAPPED = re.compile(
    r"\s*(?:\\[a-z]{2,12}\s?\{|\*{1,2}|`|\$|\\\()\s?(?P<letter>[(\[]?[A-Za-z][)\].:]?)\s?"
    r"(?:\}|\*{1,2}|`|\$|\\\))(?=\s|~|\\)(?P<rest>.*\S)",
    re.DOTALL,
)
_WRAPPERS = frozenset(" \\*`$")
_WORD_GLUED = re.compile(r"(?i:option|choice|answer|letter)[a-z]")
_YES_NO = re.compile(
    r"\W{0,3}(?P<word>yes|no|yep|yeah|yup|nope|nah)\b\s?"
    r"(?:[,.;:!-]|\u2014|\u2013|$|(?=\s?(?:there|it|he|she|they|we|i|you)\b))(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_IS_OR_NOT = re.compile(
    r"(?P<word>是|否|不是|有|没有|对|不对|不)的?\s?(?:[,.;!]|$)(?P<rest>.*)", re.DOTALL
)
_UNSURE = re.compile(
    r"\b(?:not (?:sure|certain|clear)|unsure|uncertain|unclear|may ?be|perhaps|possibly|might"
    r"|can(?:no|['’])t (?:tell|say|see clearly|determine)|hard to (?:tell|say)|wait|actually"
    r"|i mean|on second thoughts?)\b|不确定|不清楚|也许|可能|等等",
    re.IGNORECASE,
)


_SPOKEN = {"yep": "yes", "yeah": "yes", "yup": "yes", "nope": "no", "nah": "no"}
_SPOKEN |= dict.fromkeys(["是", "有", "对"], "yes")
_SPOKEN |= dict.fromkeys(["否", "不是", "没有", "不对", "不"], "no")


def widened(text: str) -> str:
    """Full-width letters and marks as the plain ones."""
    return text if text.isascii() else text.translate(_WIDE).strip()


class Options(ABC):
    """``count``: of options."""

    __slots__ = ("count",)

    def __init__(self, count: int) -> None:
        self.count = count

    @abstractmethod
    def named(self, text: str) -> frozenset[int]:
        """The places of the options whose text this is."""

    def named_by(
        self,
        text: str,
        words: Callable[[re.Match[str], int, str], frozenset[int]] | None = None,
    ) -> frozenset[int]:
        """The places of the options that ``text`` names: several where they read alike.

        Empty: it is not the name of any; ``CONTRADICTION``: of two. ``words`` decides on a
        letter followed by words that are no option's text (match, place, words).
        """
        if len(text) > MAX_ANSWER and words is None:
            return NONE
        text = text[:MAX_ANSWER]
        if text[:1] in _WRAPPERS and (alone := _WRAPPED.fullmatch(text)) is not None:
            letter = alone["letter"].strip("([)].:")
            text = f"{letter}. {unwrapped(alone['rest'])}"
        text = unwrapped(text)
        if named := self.named(text):
            return named
        text = widened(text)
        found = LETTERED.fullmatch(text)
        place = None if found is None or _glued_word(found) else self.place(found["letter"])
        if found is None or place is None:
            return self._letter_last(text) or self._yes_or_no(text)
        rest = found["rest"].strip()
        if (found["word"] or "").lower() == "letter" and (read := self.named(found["letter"])):
            return read if not rest else NONE  # of options that are letters the one it reads
        if not rest:
            return frozenset({place})
        if named := self.named(rest):
            return frozenset({place}) if place in named else CONTRADICTION
        if found["glued"] and found["glued"][0].isascii():  # "A.M." is no letter, "A.B" is two
            return CONTRADICTION if self._letter_begins(rest, place) else NONE
        if not (found["open"] or found["close"]) and (named := self._letter_last(text)):
            return named  # "a red one (B)"
        return NONE if words is None else words(found, place, rest)

    def place(self, letter: str) -> int | None:
        """Where the option of this letter stands; None where there is none."""
        place = ord(letter.lower()) - ord("a")
        return place if 0 <= place < self.count else None

    def _letter_begins(self, rest: str, place: int) -> bool:
        other = re.match(r"[(\[]?([A-Z])(?![^\W_])", rest)
        return other is not None and self.place(other[1]) not in (None, place)

    def _letter_last(self, text: str) -> frozenset[int]:
        found = _LETTER_LAST.fullmatch(text)
        named = self.named(found[1]) if found else NONE
        if not found or not named or (found["behind"] and len(found[1].strip("([*")) == 1):
            return NONE  # "B, A" of options that are letters
        place = self.place(found["within"] or found["behind"])
        return frozenset({place}) if place in named else CONTRADICTION

    def _yes_or_no(self, text: str) -> frozenset[int]:
        found = _YES_NO.match(text) or _IS_OR_NOT.match(text)
        if found is None:
            return NONE
        word = found["word"].lower()
        if not (named := self.named(word) or self.named(_SPOKEN.get(word, word))):
            return NONE
        rest = found["rest"]
        if _UNSURE.search(rest) or re.search(
            r"[.!?;]\s*(?:yes|no)\b(?!\s+[a-z])", f".{rest}", re.IGNORECASE
        ):
            return NONE
        return named


def _glued_word(found: re.Match[str]) -> bool:
    """ "Answers", "optional": a word that only begins like "answer"."""
    return found["word"] is not None and _WORD_GLUED.match(found[0].lstrip("*_ ")) is not None
