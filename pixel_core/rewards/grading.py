r"""Is an answer right? One strict, fast rule for training and evaluation.

The rule, in the order it is tried:

1. Answer and reference are compared in their normal form (``normal_form`` has the table): what
   wraps a value does not count, what changes it does.
2. With ``choices``: the text of the right choice, its letter by position ("B", "(b)", "**B**"),
   or both ("B. red"); a letter that contradicts its text is wrong (``options``). Where an
   answer is both a choice's text and another's letter, the text wins. Where it is the text of
   several choices ("5", "5%"; "Ca", "CA"), the nearest in writing is meant: the same
   characters, then the same but for capitals, then but for white space. Without such a one it
   is wrong.

The grade is a bool: a missing, empty or malformed answer is False, which is 0 in the reward
and never negative.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from pixel_core.records import Query
from pixel_core.rewards.answer_marks import MAX_ANSWER, extract_boxed, marked
from pixel_core.rewards.normal_form import Normal, normal, same
from pixel_core.rewards.options import CONTRADICTION, NONE, Options
from pixel_core.rewards.unwrapping import unwrapped

__all__ = ["MAX_ANSWER", "Key", "extract_boxed", "grade", "grade_turn", "key_of"]

_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))


def grade(answer: str | None, query: Query) -> bool:
    """Whether ``answer`` (the text inside the box) is right, by the rule of this module."""
    if not answer or len(answer) > MAX_ANSWER:
        return False
    return key_of(query).accepts(answer)


def grade_turn(text: str, query: Query) -> bool:
    """Whether what a whole turn marks as its answer is right: every mark of it."""
    found = marked(text)
    return bool(found) and all(grade(mark, query) for mark in found or ())


def key_of(query: Query) -> Key:
    """What this module accepts for a question, prepared once and remembered."""
    return _key(query.answers, query.choices)


class Key(Options):
    """What is accepted for one set of answers and choices, prepared; the choices are the
    options. ``right``: the places of the right ones."""

    __slots__ = ("_normal_answers", "_normal_choices", "choices", "right")

    def __init__(self, answers: tuple[str, ...], choices: tuple[str, ...]) -> None:
        super().__init__(len(choices))
        self.choices = choices
        self._normal_answers = [normal(text) for text in answers]
        self._normal_choices = [normal(text) for text in choices]
        right: set[int] = set()
        if choices:
            for text, form in zip(answers, self._normal_answers, strict=True):
                right.update(self._written(text, _fitting(form, self._normal_choices)))
            if not right:
                # A manifest may give the right letter instead of the right text, or both.
                for text in answers:
                    right.update(self.named_by(text) - CONTRADICTION)
        self.right = frozenset(right)

    def named(self, text: str) -> frozenset[int]:
        """The places of the choices whose text this is. Several: they are written alike, or
        it can't be told which is meant (``means_right``)."""
        found = _fitting(normal(text), self._normal_choices)
        return frozenset(self._written(text, found)) if found else NONE

    def means_right(self, named: frozenset[int]) -> bool:
        """Whether an answer that names these choices is right: one of them is, and there is
        no telling them apart, or all of them are."""
        if not named & self.right:
            return False
        return named <= self.right or len({self.choices[i].strip() for i in named}) == 1

    def accepts(self, answer: str) -> bool:
        # First: a reference fits the text of a choice that differs from it in writing.
        if self.choices and (named := self.named_by(answer)):
            return named != CONTRADICTION and self.means_right(named)
        return bool(_fitting(normal(answer), self._normal_answers))

    def _written(self, text: str, found: list[int]) -> list[int]:
        """Of several choices that fit, those written most nearly like ``text``; all of them
        where none is."""
        if len(found) < 2:
            return found
        for form in (str.strip, unwrapped, _folded, _tidy):
            said = form(text)
            if equal := [place for place in found if form(self.choices[place]) == said]:
                return equal
        return found


_key = lru_cache(maxsize=8192)(Key)


def _fitting(said: Normal, forms: Sequence[Normal]) -> list[int]:
    """The places of the forms that are the same as what was said."""
    if said.value is not None:
        return [place for place, form in enumerate(forms) if same(form, said)]
    # As ``same``, without a call for each.
    text, bare = said.text, said.bare
    if not text:
        return []
    return [i for i, form in enumerate(forms) if form.text == text or form.bare == bare]


def _folded(text: str) -> str:
    return unwrapped(text).casefold()


def _tidy(text: str) -> str:
    """Case-folded, without white space, backslashes, and what may enclose or end an answer;
    signs and marks inside stay, and each kind of dash is one."""
    plain = unicodedata.normalize("NFKC", unwrapped(text)).translate(_DASHES).casefold()
    return "".join(plain.replace("\\", "").split()).strip("\"'“”‘’()[]{}*`").rstrip(".,;:!?")
