r"""What an episode claims as its answer: what it marked, or else what its last turn says.

Marks are a box or tags (``answer_marks``); they decide alone, and all of them must be right.
Where a turn ended without one, as models do that were never trained to box, graders that allow
it read the last turn's text after its thought. An episode that did not end by itself claims
nothing: its text may break off in the middle of a thought. Nor does one with a mark that can't
be read (a box never closed, or endless), or an empty one.
"""

from __future__ import annotations

from typing import NamedTuple

from pixel_core.records import Rollout, StopReason
from pixel_core.rewards.answer_marks import after_thought, marked
from pixel_core.rewards.graders.grader import ReadingRule
from pixel_core.rewards.unwrapping import unwrapped

__all__ = ["MAX_TEXT", "ClaimedAnswer", "claim_of", "plain"]

#: Characters of a turn's end that are read where there is no box; of a longer turn its first
#: line is not its first.
MAX_TEXT = 4000

plain = unwrapped


class ClaimedAnswer(NamedTuple):
    """``marks``: () where there are none; then ``text`` is the last turn's end. ``rule``: BOX
    or TAG of marks; of a text it is for the grader to say."""

    marks: tuple[str, ...] = ()
    text: str = ""
    rule: ReadingRule = ReadingRule.NONE


def claim_of(rollout: Rollout) -> ClaimedAnswer:
    """What the episode claims; nothing at all is an empty text."""
    if rollout.stop not in (StopReason.ANSWERED, StopReason.NO_ANSWER):
        return ClaimedAnswer()
    text = rollout.steps[-1].text if rollout.steps else ""
    if rollout.stop is StopReason.ANSWERED and "<" not in text and "◁" not in text:
        if not rollout.answer:
            return ClaimedAnswer()
        return ClaimedAnswer((rollout.answer[:MAX_TEXT],), "", ReadingRule.BOX)
    text = after_thought(text)
    marks = marked(text)
    if marks is None:
        return ClaimedAnswer()
    if marks:
        return ClaimedAnswer(
            marks, rule=ReadingRule.BOX if "\\boxed" in text else ReadingRule.TAG
        )
    return ClaimedAnswer((), text[-MAX_TEXT:].strip())
