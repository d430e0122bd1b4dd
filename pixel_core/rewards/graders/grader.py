"""What a grader is, and what it gives: a score, and the rule that read the answer."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Self

from pixel_core.records import Query, Rollout


class ReadingRule(StrEnum):
    """Where the answer that was graded stood. The first two are marked by the model, the next
    four are free text."""

    #: The last ``\\boxed{}``, alone or beside tags that say the same.
    BOX = "box"
    #: ``<answer>`` or ``<|begin_of_box|>``.
    TAG = "tag"
    #: "The answer is B", "B is the correct answer", "答案是B".
    STATEMENT = "statement"
    #: The whole turn is the answer and nothing else ("B", "3 dogs"); of ``anls`` the whole
    #: turn, whatever it is.
    TURN = "turn"
    #: A first or last line that is the answer and nothing else.
    LINE = "line"
    #: Words around it: "B, because ...", "There are 3 dogs and they are all brown."
    SENTENCE = "sentence"
    #: No rule found an answer. It is wrong.
    NONE = "none"


#: Rules that read what the model did not mark as its answer.
FREE_TEXT = (ReadingRule.STATEMENT, ReadingRule.TURN, ReadingRule.LINE, ReadingRule.SENTENCE)


class Grade(float):
    """From 0 to 1, with the ``rule`` that read the answer."""

    __slots__ = ("rule",)

    rule: ReadingRule

    def __new__(cls, value: float, rule: ReadingRule) -> Self:
        score = super().__new__(cls, value)
        score.rule = rule
        return score


#: No answer was found.
UNREAD = Grade(0.0, ReadingRule.NONE)

#: From a question and a finished episode to a score. ``rollout.answer`` is what the last
#: ``\\boxed{}`` held; ``rollout.steps[-1].text`` is the whole last turn, for definitions that
#: look for an answer elsewhere. Pure, quick, and total: no text raises.
Grader = Callable[[Query, Rollout], Grade]
