"""Grader ``anls``: how near the answer is to the nearest reference, from 0 to 1.

Average Normalised Levenshtein Similarity: Biten et al. 2019 (arXiv 1905.13648, section 4),
which DocVQA and InfographicVQA take over (arXiv 2104.12756), with threshold 0.5. Of an answer
and a reference: lower-cased, stripped, runs of white space one blank; then 1 minus edit
distance over the longer one's length. The best over all references counts; below 0.5 it is 0.

Paper and official script differ at one point, and the script is followed, since published
numbers were made with it: similarity of exactly 0.5 counts ("equal or bigger than 0.5", Robust
Reading Competition, rrc.cvc.uab.es, challenges 17; the paper's formula has it 0). Of the
script not followed: it divides by the length of the texts before white space was stripped,
and as capitals, so that blanks appended to a wrong answer raise its score.

Punctuation, units and articles count as they do there. The box is read without its LaTeX
(``claim.plain``). Without a box the last turn states it ("the answer is ..."), or else is it
as a whole, as in the script, which knows of no boxes; with and without its LaTeX and the
quotation marks around it, Markdown's emphasis does not count.
Of a statement the first sentence is tried, too, and both with and without a full stop at the
end ("The answer is U.S."): the better one counts.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pixel_core.records import Query, Rollout
from pixel_core.rewards.graders.claim import claim_of, plain
from pixel_core.rewards.graders.grader import UNREAD, Grade, ReadingRule
from pixel_core.rewards.graders.statements import stated, unemphasised

# Levenshtein's edit distance by bit vectors: a column of the table in one whole number.
#
# Myers 1999 (J. ACM 46(3)) in the form of Hyyrö 2003 ("A bit-vector algorithm for computing
# Levenshtein and Damerau edit distances"). Python's whole numbers have any length, so a text
# of n and one of m characters take n steps on numbers of m bits.


def edit_distance(a: str, b: str) -> int:
    """The fewest insertions, deletions and replacements of characters that make ``b`` of
    ``a``."""
    if a == b:
        return 0
    if len(a) > len(b):
        a, b = b, a
    if not a:
        return len(b)
    places: dict[str, int] = {}
    for place, char in enumerate(a):
        places[char] = places.get(char, 0) | 1 << place
    mask = (1 << len(a)) - 1
    last = 1 << (len(a) - 1)
    # Bits of the rows where the table grows (up) or falls (down) by one to the row above.
    up, down, distance = mask, 0, len(a)
    for char in b:
        same = places.get(char, 0)
        level = (((same & up) + up) ^ up) | same | down
        right_up = down | ~(level | up)
        right_down = up & level
        if right_up & last:
            distance += 1
        elif right_down & last:
            distance -= 1
        right_up = right_up << 1 | 1
        right_down <<= 1
        up = (right_down | ~(level | right_up)) & mask
        down = right_up & level & mask
    return distance


THRESHOLD = 0.5

#: The white space between two sentences; what it parts may be one name ("St. Louis").
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z(])|(?<=[。！？])")

#: A statement's answer in quotation marks, and nothing else.
_QUOTED = re.compile(r"\"[^\"]+\"[.。]?|“[^“”]+”[.。]?")


def anls(query: Query, rollout: Rollout) -> Grade:
    """The similarity to the nearest of ``query.answers``; 0 for an empty answer."""
    claim = claim_of(rollout)
    if claim.marks:
        # Box and tags are one answer each: the worst counts, so that two are no two tries.
        worst = min(similarity(plain(mark), query.answers) for mark in claim.marks)
        return Grade(worst, claim.rule)
    if not claim.text:
        return UNREAD
    readings, rule = _readings(claim.text)
    return Grade(max(similarity(answer, query.answers) for answer in readings), rule)


def similarity(answer: str, references: tuple[str, ...]) -> float:
    """ANLS of one answer: 0, or from ``THRESHOLD`` to 1."""
    said = normalised(answer)
    if not said:
        return 0.0
    return max((_similarity(said, right) for right in _normalised(references)), default=0.0)


def normalised(text: str) -> str:
    """Lower case; blanks at the ends gone, each run of white space inside one blank."""
    return " ".join(text.lower().split())


def _similarity(a: str, b: str) -> float:
    if a == b:
        return 1.0
    longer = max(len(a), len(b))
    # The distance is at least the difference of the lengths: no need to compute it.
    if abs(len(a) - len(b)) > longer * (1 - THRESHOLD):
        return 0.0
    found = 1 - edit_distance(a, b) / longer
    return found if found >= THRESHOLD else 0.0


@lru_cache(maxsize=8192)
def _normalised(references: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(normalised, references))


def _readings(text: str) -> tuple[list[str], ReadingRule]:
    """What a turn without a box may have meant by its answer: a full stop can end the sentence
    or an abbreviation, and an answer's sentence can have others after it."""
    said = {rest for line in stated(text)[:1] for rest in line}
    if len(said) != 1:
        text = unemphasised(text)
        quoted = _QUOTED.fullmatch(text.strip())
        inside = plain(text.strip().rstrip(".。")[1:-1] if quoted else text)
        return [text, inside], ReadingRule.TURN
    whole = said.pop().strip()
    if _QUOTED.fullmatch(whole):
        return [plain(whole.rstrip(". 。")[1:-1])], ReadingRule.STATEMENT
    first = _SENTENCE_END.split(whole, maxsplit=1)[0]
    found = {whole, whole.rstrip(". 。"), first, first.rstrip(".。")}
    return [plain(reading) for reading in found], ReadingRule.STATEMENT
