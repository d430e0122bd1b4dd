r"""Grader ``upstream_code``: the original's matcher, faults included, to compare its numbers.

From ``curiosity_driven_rl/openrlhf/trainer/ppo_utils/experience_maker.py`` of
TIGER-AI-Lab/Pixel-Reasoner at 555a984b (``rule_reward``, ``handle_boxed``, ``do_verify``,
``normalize_answer``), written anew. Its evaluation uses it for every benchmark, so there is
no ANLS in it, and no rule for options. What it does, and where that is wrong:

1. Case is dropped from references and answer before anything else. Its rule for letters then
   never applies (it looks for a capital), nor does "Answer:".
2. References are a box's LaTeX, ``\boxed{b}`` (of a multiple choice the letter), read by
   math-verify. Words become products of letters: "was" is right for "saw". "b. red" for "b"
   is wrong, and so is the option's text.
3. The answer is looked for in ALL turns: where the last has no box, an earlier turn's is
   graded; an answer cut by the token limit counts, too.
4. A box is asked for in name only: the argument that says so arrives one place late, and an
   executor (None) is taken for it. Tried are the text from the last ``\boxed``, then
   ``<answer>...</answer>`` (the first), then the whole text, in which math-verify picks an
   expression: "it must be 7" is right for 7, and a right number beside a wrong box may be.
5. Reference and answer change places in math-verify's comparison, which is not symmetric.
6. ``\text``, "minutes", "cm" are cut from both, inside of words as well; ``dfrac`` is
   ``frac``; of the references with "%" the first is tried without it, too.
7. A reference with a comma is right if each of its parts occurs anywhere after the last
   "boxed", in the order and the words they please: "1,000" is right wherever "1" and "000"
   occur. The parts are those between its 8th and its last character, whatever these are.

Its math-verify is not pinned; ours is the lock's. Between the turns stand the tool's returns,
which a rollout does not hold: a return's words stand for them, with a size that is no answer
(in the whole text the last number may decide). Of more than ``MAX_SOLUTION`` characters the
end is graded.
"""

from __future__ import annotations

import re

from pixel_core.records import Query, Rollout, Step, StopReason
from pixel_core.rewards.graders.grader import Grade, ReadingRule
from pixel_core.rewards.graders.maths import boxed
from pixel_core.rewards.graders.maths_judge import JUDGE, MathsVerdict
from pixel_core.rewards.grading import key_of

#: Characters of all turns together.
MAX_SOLUTION = 16_000

_TURN_END = "<|im_end|>"
_USER = f"{_TURN_END}\n<|im_start|>user\n\n"
#: In place of a crop's or frame's size: a prime, so that no simple fraction is equal to it.
_SIZE = "8179x8179"
_TAGGED = re.compile(r"<answer>(.*?)</answer>")


def upstream_code(query: Query, rollout: Rollout) -> Grade:
    """1 where the original's evaluation would count the answer as a match, else 0.

    The rule of a match is what matched, of all else the first that was tried: "sentence" is the
    whole text, in which math-verify looked for an expression.

    Raises ``StageFailed`` where math-verify is not installed, never for a text.
    """
    said = solution(rollout)
    tried = _tried(said)
    for reference in references(query):
        if (rule := _matching(tried, reference)) is not None:
            return Grade(1.0, rule)
        if _parts_occur(said, reference):
            return Grade(1.0, ReadingRule.BOX)
    return Grade(0.0, next(iter(tried)))


def solution(rollout: Rollout) -> str:
    """All turns as the original joins them, in small letters."""
    text = "".join(step.text + _returned(step) for step in rollout.steps[:-1])
    text += rollout.steps[-1].text if rollout.steps else ""
    if rollout.stop is not StopReason.TRUNCATED:
        text += _TURN_END
    return text.lower()[-MAX_SOLUTION:]


def _returned(step: Step) -> str:
    """What a turn was answered with, up to the next turn."""
    if step.error:
        said = "Execution error:\n"
    elif step.frames:
        said = f"Here are the selected frames (Frame Size: {_SIZE}):"
    else:
        said = f"Here is the cropped image (Image Size: {_SIZE}):"
    return f"{_USER}{said}{_TURN_END}\n"


def references(query: Query) -> list[str]:
    """The reference answers as its files have them: boxed, of a multiple choice the letter."""
    right = sorted(key_of(query).right)
    answers = [chr(ord("a") + place) for place in right] if right else query.answers
    found = [boxed(answer).lower() for answer in answers]
    percent = next((text.replace("%", "") for text in found if "%" in text), None)
    return found if percent is None or percent in found else [percent, *found]


def normalised(text: str) -> str:
    """Its ``normalize_answer``."""
    for cut, put in (
        ("dfrac", "frac"),
        ("\\text", ""),
        ("\\varnothing", "\\emptyset"),
        ("minutes", ""),
        ("cm", ""),
    ):
        text = text.replace(cut, put)
    return text


def _tried(said: str) -> dict[ReadingRule, str]:
    """Its ``handle_boxed`` as it is reached, without the demand for a box: what it compares, in
    this order."""
    tried: dict[ReadingRule, str] = {}
    if "\\boxed" in said:
        tried[ReadingRule.BOX] = said[said.rindex("\\boxed") :].strip()
    if tagged := _TAGGED.search(said):
        tried[ReadingRule.TAG] = f"\\boxed{{{tagged[1]}}}"
    tried[ReadingRule.SENTENCE] = said
    return tried


def _matching(tried: dict[ReadingRule, str], reference: str) -> ReadingRule | None:
    gold = normalised(reference)
    for rule, text in tried.items():
        if JUDGE.compare(gold=normalised(text), answer=gold) is MathsVerdict.RIGHT:
            return rule
    return None


def _parts_occur(said: str, reference: str) -> bool:
    """Its rule for answers of several parts."""
    place = said.rfind("boxed")
    if "," not in reference or place < 0:
        return False
    parts = reference[len("\\boxed{") : -1].split(",")
    return all(part.strip() in said[place:] for part in parts)
