"""Grader ``counting``: how many? Right is the same whole number.

TallyQA scores the share of exactly right counts (Acharya, Kafle and Kanan 2019, arXiv
1810.12440, section 5); its answers are whole numbers from 0 to 15. It does not say how a count
is read from a sentence; ``whole_numbers`` does here. Ranges and guesses are wrong.

Read in this order: the box or tag (or what it states, "the answer is 2"); without one, what
the last turn states, the statements of a line agreeing; the whole turn, if that is a bare
count ("2", "two dogs", "there are 2 dogs: one ..."); the sentences of it that are, if they
agree, or the others add up to the first or the last. Sentences that only mention a number are
not read; of a sentence after "Wait" only a count of what was counted before.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pixel_core.records import Query, Rollout
from pixel_core.rewards.graders.claim import claim_of, plain
from pixel_core.rewards.graders.count_sentences import Count, corrected_count, count_of
from pixel_core.rewards.graders.grader import UNREAD, Grade, ReadingRule
from pixel_core.rewards.graders.statements import after_retraction, lines_of, stated
from pixel_core.rewards.graders.whole_numbers import whole_number

#: The end of a sentence, or of what it states; a decimal point is none.
_END = re.compile(r"[.!?;](?:\s|$)|[。！？；]|,?\s(?:because|since)\s|，因为|因为")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])")
_ITEM = re.compile(r"\d{1,3}[.)]\s+\S")
_INTENT = re.compile(
    r"\b(?:let me|look again|look closer|zoom|i need to|i will|i should|not sure|unsure|unclear"
    r"|can(?:no|['’])t (?:tell|say|count|see))\b",
    re.IGNORECASE,
)
#: Beside a count it says that this was not all: "A third one is behind the bench."
_ONE_MORE = re.compile(
    r"\banother\b(?!\s+(?:look|angle|view|time|way|glance|picture|image|crop))"
    r"|\ban?\s+(?:second|third|fourth|fifth|sixth)\b|\bone\s+more\b|另(?:外|一)|还有",
    re.IGNORECASE,
)
#: Sentences of a turn that are read as counts.
_SENTENCES = 60


def counting(query: Query, rollout: Rollout) -> Grade:
    """1 where the claimed number is one of the reference counts, else 0."""
    claim = claim_of(rollout)
    if claim.marks:
        counts = {_marked(mark) for mark in claim.marks}
        count = counts.pop() if len(counts) == 1 else None
        return Grade(count is not None and count in _references(query.answers), claim.rule)
    said = _said(claim.text) if claim.text else None
    return UNREAD if said is None else Grade(said[0] in _references(query.answers), said[1])


def _marked(text: str) -> int | None:
    count = whole_number(plain(text))
    return _stated(text[:4096]) if count is None else count


def _said(text: str) -> tuple[int, ReadingRule] | None:
    """The count of a turn without a mark, and the rule that found it."""
    if (claimed := _stated(text)) is not None:
        return claimed, ReadingRule.STATEMENT
    if (kept := after_retraction(text)) != text:
        corrected, _, kept = kept.partition("\n")
        if not kept.strip():
            taken_back = text[: len(text) - len(corrected)]
            count = corrected_count(plain(corrected), taken_back)
            return None if count is None else (count, ReadingRule.SENTENCE)
    if (whole := count_of(plain(kept))) is not None:
        return whole.value, ReadingRule.TURN if whole.alone else ReadingRule.SENTENCE
    if _INTENT.search(kept):
        lines = lines_of(kept) if "\n" in kept else []
        return _by_line(count_of(plain(lines[-1])) if lines else None)
    return _by_line(_agreed(kept))


def _by_line(count: Count | None) -> tuple[int, ReadingRule] | None:
    if count is None:
        return None
    return count.value, ReadingRule.LINE if count.alone else ReadingRule.SENTENCE


def _agreed(text: str) -> Count | None:
    """The count that the sentences of a turn give; None where they compete, or where one of
    the others speaks of one more ("Another dog is behind the bench.")."""
    counts: list[Count] = []
    more = 0
    for line in lines_of(text):
        if (whole := count_of(plain(line), whole=False)) is not None:
            counts.append(whole)
        elif not _ITEM.match(line):
            for part in filter(None, _SENTENCE.split(line)):
                found = count_of(plain(part), whole=False)
                counts += [] if found is None else [found]
                more += found is None and _ONE_MORE.search(part) is not None
        if len(counts) > _SENTENCES:
            return None
    if not counts:
        return None
    first, last = counts[0], counts[-1]
    values = [count.value for count in counts]
    if len(counts) > 1 and last.value == sum(values[:-1]) + more:
        return last
    if more:
        return None
    return first if len(set(values)) == 1 or sum(values[1:]) == first.value else None


def _stated(text: str) -> int | None:
    """The number that all readable statements of a line give, of the last such line; None
    where they differ."""
    for line in stated(text, turned=True):
        counts = {_of_statement(rest) for rest in line} - {None}
        if counts:
            return counts.pop() if len(counts) == 1 else None
    return None


def _of_statement(rest: str) -> int | None:
    text = plain(rest)
    end = _END.search(text)
    if end is not None and end[0][0] in "?？":
        return None  # "... the answer is 3?" asks
    count = whole_number(text[: end.start()] if end else text)
    return whole_number(text) if count is None else count


@lru_cache(maxsize=8192)
def _references(answers: tuple[str, ...]) -> frozenset[int]:
    return frozenset(n for n in map(whole_number, answers) if n is not None)
