r"""Grader ``choice``: one of several options, named by its letter or by its text.

V*, MVBench and HR-Bench publish questions with options and one right letter, and accuracy as
the share of right letters (V*: arXiv 2312.14135; MVBench: arXiv 2311.17005; HR-Bench: arXiv
2408.15556). How a letter is read from a model's words is each evaluator's own; this rule errs
towards wrong.

A text names an option by its text, its letter or both (``rewards.options``), or by its letter,
marked as one, and words that speak for no other option: "B. It is red", "B, because ...", "B
because ..." (``option_words``). Where letter and words disagree nothing is named, and two
different letters are never accepted, whichever is meant.

Read are, in this order: the box or tag (or what it states); without one, in a turn that ended
by itself, what it states (``statements``), unless its last line, or its first alone, names
another; the whole turn; a first or last line that names an option, where no other line names
another; the last sentence, where it says one ("The car is blue.", ``sentences``). A first line
may have words behind its letter.
"""

from __future__ import annotations

import re

from pixel_core.records import Query, Rollout
from pixel_core.rewards.graders.claim import claim_of
from pixel_core.rewards.graders.grader import UNREAD, Grade, ReadingRule
from pixel_core.rewards.graders.option_words import (
    REASON,
    deny,
    letter_another,
    name_another,
    only_speak,
)
from pixel_core.rewards.graders.sentences import said_in_words
from pixel_core.rewards.graders.statements import after_retraction, lines_of, stated
from pixel_core.rewards.grading import MAX_ANSWER, Key, key_of
from pixel_core.rewards.options import CONTRADICTION, NONE, widened

_IT_IS = re.compile(
    r"(?:(?:(?:so|thus|hence|therefore|then)\b|所以|因此)[,:]?\s*)?"
    r"(?:(?:it|this|that)(?:['’]s|\s+is|\s+would\s+be)\s+)?",
    re.IGNORECASE,
)
#: What a line still says after "Wait": "it's B" is a statement, other words half a thought.
_CORRECTED = re.compile(
    r"\W{0,4}(?:no\W{1,3})?(?=(?:it|this|that)(?:['’]s|\s+(?:is|should|must|would)\b))",
    re.IGNORECASE,
)
#: "blue, not red"
_NOT_OTHERS = re.compile(
    r",?\s+\(?(?:not|rather\s+than|instead\s+of)\s.*", re.IGNORECASE | re.DOTALL
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")
#: Lines of a turn that are read as options; a longer turn's middle is not.
_LINES = 40


def choice(query: Query, rollout: Rollout) -> Grade:
    """1 where the right option is named, else 0; without options as ``strict``."""
    claim = claim_of(rollout)
    key = key_of(query)
    if claim.marks:
        if any(len(mark) > MAX_ANSWER for mark in claim.marks):
            return Grade(0.0, claim.rule)
        if not query.choices:
            return Grade(all(map(key.accepts, claim.marks)), claim.rule)
        return Grade(all(_right(key, _marked(mark, query)) for mark in claim.marks), claim.rule)
    if not query.choices or not claim.text:
        return UNREAD
    named, rule = _said(widened(claim.text), query)
    return Grade(_right(key, named), rule) if named else UNREAD


def _right(key: Key, named: frozenset[int]) -> bool:
    return named != CONTRADICTION and key.means_right(named)


def _marked(text: str, query: Query) -> frozenset[int]:
    named = named_by(text, query, words=True)
    return named or _stated(widened(text), query) or _first_sentence(text, query)


def _said(text: str, query: Query) -> tuple[frozenset[int], ReadingRule]:
    """What a turn without a mark names, and the rule that found it."""
    if (kept := after_retraction(text)) != text:
        # What a line still says after "Wait" is half a thought; the lines below count.
        kept = kept.partition("\n")[2]
        if (said := _CORRECTED.match(after_retraction(text))) and not kept.strip():
            rest = after_retraction(text)[said.end() :]
            if not named_by(text, query, words=True):  # as in a box: "B. No, it is the dog"
                if claimed := _stated(text, query):
                    return claimed, ReadingRule.STATEMENT
                return said_in_words(rest, query), ReadingRule.SENTENCE
    lines = lines_of(kept)
    if not lines:
        return _stated(text, query), ReadingRule.STATEMENT
    shown = lines if len(lines) <= _LINES else [*lines[: _LINES // 2], *lines[-_LINES // 2 :]]
    bare = [named_by(line, query) for line in shown]
    if claimed := _stated(text, query):
        others = {named for named in bare if named and not named & claimed}
        # Options that are listed again speak for none of them.
        if len(others) == 1 and (bare[-1] in others or bare[0] in others):
            return CONTRADICTION, ReadingRule.STATEMENT
        return claimed, ReadingRule.STATEMENT
    if len(lines) == 1:
        if bare[0]:
            return bare[0], ReadingRule.TURN
        named = (
            named_by(lines[0], query, words=True)
            or _first_sentence(lines[0], query)
            or said_in_words(lines[0], query)
        )
        return named, ReadingRule.SENTENCE
    ends = bare[-1] or bare[0]
    rule = ReadingRule.LINE if ends else ReadingRule.SENTENCE
    ends = ends or named_by(lines[0], query, words=True)
    all_named = {*bare, ends} - {NONE}
    all_named |= {named_by(line, query, words=True) for line in shown} - {NONE}
    if not all_named:
        return said_in_words("\n".join(lines), query), ReadingRule.SENTENCE
    return (ends if len(all_named) == 1 else NONE), rule


def _stated(text: str, query: Query) -> frozenset[int]:
    """The option that all readable statements of a line name, of the last such line; one that
    contradicts spoils all."""
    for line in stated(text, turned=True):
        named = {found for rest in line if (found := _of_statement(rest, query))}
        if named:
            return next(iter(named)) if len(named) == 1 else CONTRADICTION
    return NONE


def _of_statement(rest: str, query: Query) -> frozenset[int]:
    return named_by(rest, query, words=True) or _first_sentence(rest, query)


def _first_sentence(text: str, query: Query) -> frozenset[int]:
    """An option that the first sentence is, others following that name none; "It is ..." may
    begin it."""
    sentence, *others = _SENTENCE.split(text[:MAX_ANSWER], maxsplit=1)
    sentence = _IT_IS.sub("", sentence, count=1)
    named = named_by(sentence, query) or key_of(query).named(_NOT_OTHERS.sub("", sentence))
    if not named or named == CONTRADICTION or not others:
        return named
    place = min(named)
    if deny(others[0], place, query) or name_another(others[0], place, query):
        return CONTRADICTION
    return named


def named_by(text: str, query: Query, *, words: bool = False) -> frozenset[int]:
    """The places of the options that ``text`` names: several where they read alike.

    Empty: it is not the name of any. ``words``: they may follow a letter.
    """

    if not words:
        return key_of(query).named_by(text)

    def with_words(found: re.Match[str], place: int, rest: str) -> frozenset[int]:
        return _with_words(found, place, rest, query)

    return key_of(query).named_by(text, with_words)


def _with_words(found: re.Match[str], place: int, rest: str, query: Query) -> frozenset[int]:
    """A letter and words that are no option's text."""
    listed = "," in found["close"]
    bare = not found["close"].strip("\"'”’") and not (
        found["letter"].islower() and rest[:1].islower()
    )
    if bare and letter_another(rest, place, query, listed=True):
        return CONTRADICTION
    capital = found["letter"].isupper() and (found["close"] or REASON.match(rest))
    if not (found["open"] or found["word"] or capital):
        return NONE  # "A car": an article
    if not found["close"].strip(")]}\"'”’*") and only_speak(rest):
        return NONE
    if deny(rest, place, query) or name_another(rest, place, query, listed=listed):
        return CONTRADICTION
    return frozenset({place})
