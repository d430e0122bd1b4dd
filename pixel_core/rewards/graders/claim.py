r"""What an episode claims as its answer: what it marked, or else what its last turn says.

Marks are a box or tags (``answer_marks``); they decide alone, and all of them must be right.
Where a turn ended without one, as models do that were never trained to box, graders that allow
it read the last turn's text after its thought. An episode that did not end by itself claims
nothing: its text may break off in the middle of a thought. Nor does one with a mark that can't
be read (a box never closed, or endless), or an empty one.
"""

from __future__ import annotations

from dataclasses import dataclass

from pixel_core.records import Rollout, StopReason
from pixel_core.rewards.answer_marks import after_thought, marked
from pixel_core.rewards.unwrapping import unwrapped

__all__ = ["MAX_TEXT", "Claim", "claim_of", "plain"]

#: Characters of a turn's end that are read where there is no box; of a longer turn its first
#: line is not its first.
MAX_TEXT = 4000

plain = unwrapped


@dataclass(frozen=True)
class Claim:
    """``marks``: () where there are none; then ``text`` is the last turn's end."""

    marks: tuple[str, ...] = ()
    text: str = ""


def claim_of(rollout: Rollout) -> Claim:
    """What the episode claims; nothing at all is an empty text."""
    if rollout.stop not in (StopReason.ANSWERED, StopReason.NO_ANSWER):
        return Claim()
    text = rollout.steps[-1].text if rollout.steps else ""
    if rollout.stop is StopReason.ANSWERED and "<" not in text and "◁" not in text:
        return Claim((rollout.answer[:MAX_TEXT],) if rollout.answer else ())
    marks = marked(text)
    if marks is None:
        return Claim()
    return Claim(marks) if marks else Claim((), after_thought(text)[-MAX_TEXT:].strip())
