r"""Grader ``maths``: equal as mathematical expressions, by math-verify.

The definition is math-verify's own (github.com/huggingface/Math-Verify; the version in the
lock): reference and answer are read as LaTeX from a box, or as plain expressions, and compared
symbolically and to six decimals. "1/2", ``\frac{1}{2}`` and "0.5" are one answer.

Not for answers in words: it takes "saw" for s*a*w, and so "was" for the same. The answer is
the box or tag, or what the last turn states where there is none, or its only line where that is
an expression without words. Whatever can't be read or does not
end in time is wrong, and counted by its reason (``JUDGE.counts``).
"""

from __future__ import annotations

import re

from pixel_core.records import Query, Rollout
from pixel_core.rewards.graders.claim import claim_of
from pixel_core.rewards.graders.grader import UNREAD, Grade, ReadingRule
from pixel_core.rewards.graders.maths_judge import JUDGE, MathsVerdict
from pixel_core.rewards.graders.statements import lines_of, stated
from pixel_core.rewards.grading import MAX_ANSWER

#: Characters of a turn that is an expression and nothing else.
MAX_LINE = 80
_SENTENCE = re.compile(r"(?<=[.!?;])\s+(?=[A-Z])|(?<=[。！？])")
#: Two letters that are no command of LaTeX.
_WORD = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}|[\u4e00-\u9fff]")


def maths(query: Query, rollout: Rollout) -> Grade:
    """1 where the claimed expression equals one of ``query.answers``, else 0.

    Raises ``StageFailed`` where math-verify is not installed, never for a text.
    """
    claim = claim_of(rollout)
    answers, rule = (claim.marks, claim.rule) if claim.marks else _said(claim.text)
    if not answers:
        return UNREAD
    if any(not answer or len(answer) > MAX_ANSWER for answer in answers):
        return Grade(0.0, rule)
    return Grade(all(_right(answer, query) for answer in answers), rule)


def _right(answer: str, query: Query) -> bool:
    return any(
        JUDGE.compare(boxed(reference), boxed(answer)) is MathsVerdict.RIGHT
        for reference in query.answers
    )


def _said(text: str) -> tuple[tuple[str, ...], ReadingRule]:
    """What the turn states, or its only line, where that is an expression without words."""
    said = {rest for line in stated(text, turned=True)[:1] for rest in line}
    if said:
        answer = said.pop()
        answer = _SENTENCE.split(answer, maxsplit=1)[0].rstrip(".。")
        return () if said else (answer,), ReadingRule.STATEMENT
    lines = lines_of(text)
    if len(lines) == 1 and len(lines[0]) <= MAX_LINE and not _WORD.search(lines[0]):
        return (lines[0].rstrip(".。"),), ReadingRule.TURN
    return (), ReadingRule.NONE


def boxed(text: str) -> str:
    return text if "\\boxed" in text else f"\\boxed{{{text}}}"
