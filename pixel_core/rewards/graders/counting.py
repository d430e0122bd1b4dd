"""Grader ``counting``: how many? Right is the same whole number.

TallyQA scores the share of exactly right counts (Acharya, Kafle and Kanan 2019, arXiv
1810.12440, section 5); its answers are whole numbers from 0 to 15. It does not say how a count
is read from a sentence; ``whole_numbers`` does here. Ranges and guesses are wrong.

Read in this order: the box or tag (or what it states, "the answer is 2"); without one, what
the last turn states, the statements of a line agreeing; the whole turn, if that is a bare
count ("2", "two dogs", "there are 2 dogs: one ..."); the sentences of it that are, if they
agree, or the others add up to the first or the last. Sentences that only mention a number are
not read.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pixel_core.records import Query, Rollout
from pixel_core.rewards.graders.claim import claim_of, plain
from pixel_core.rewards.graders.statements import after_retraction, lines_of, stated
from pixel_core.rewards.graders.whole_numbers import bare_count, whole_number

#: The end of a sentence, or of what it states; a decimal point is none.
_END = re.compile(r"[.!?;](?:\s|$)|[。！？；]|,?\s(?:because|since)\s|，因为|因为")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])")
_ITEM = re.compile(r"\d{1,3}[.)]\s+\S")
_INTENT = re.compile(
    r"\b(?:let me|look again|look closer|zoom|i need to|i will|i should|not sure|unsure|unclear"
    r"|can(?:no|['’])t (?:tell|say|count|see))\b",
    re.IGNORECASE,
)
#: Sentences of a turn that are read as counts.
_SENTENCES = 60


def counting(query: Query, rollout: Rollout) -> float:
    """1 where the claimed number is one of the reference counts, else 0."""
    claim = claim_of(rollout)
    if claim.marks:
        counts = {_marked(mark) for mark in claim.marks}
        count = counts.pop() if len(counts) == 1 else None
    else:
        count = _said(claim.text) if claim.text else None
    return float(count is not None and count in _references(query.answers))


def _marked(text: str) -> int | None:
    count = whole_number(plain(text))
    return _stated(text[:4096]) if count is None else count


def _said(text: str) -> int | None:
    if (claimed := _stated(text)) is not None:
        return claimed
    if (kept := after_retraction(text)) != text:
        kept = kept.partition("\n")[2]
    if (whole := bare_count(plain(kept))) is not None:
        return whole
    if _INTENT.search(kept):
        return (
            bare_count(plain(last)) if "\n" in kept and (last := lines_of(kept)[-1]) else None
        )
    return _agreed(kept)


def _agreed(text: str) -> int | None:
    """The count that the sentences of a turn give; None where they compete."""
    counts: list[int] = []
    for line in lines_of(text):
        if (whole := bare_count(plain(line))) is not None:
            counts.append(whole)
        elif not _ITEM.match(line):
            found = (bare_count(plain(part)) for part in _SENTENCE.split(line) if part)
            counts += [count for count in found if count is not None]
        if len(counts) > _SENTENCES:
            return None
    if not counts:
        return None
    first, last = counts[0], counts[-1]
    if len(set(counts)) == 1 or sum(counts[1:]) == first:
        return first
    return last if sum(counts[:-1]) == last else None


def _stated(text: str) -> int | None:
    """The number that all readable statements of a line give, of the last such line; None
    where they differ."""
    for line in stated(text, turned=True):
        counts = {_of_statement(rest) for rest in line} - {None}
        if counts:
            return counts.pop() if len(counts) == 1 else None
    return None


def _of_statement(rest: str) -> int | None:
    sentence = _END.split(plain(rest), maxsplit=1)[0]
    count = whole_number(sentence)
    return whole_number(plain(rest)) if count is None else count


@lru_cache(maxsize=8192)
def _references(answers: tuple[str, ...]) -> frozenset[int]:
    return frozenset(n for n in map(whole_number, answers) if n is not None)
