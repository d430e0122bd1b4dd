"""Which of the words that came with an annotation may stand in its trajectory.

They are untrusted: a text with a call or a boxed answer in it would end or change its turn.
And before the closer look nothing may state what only that shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pixel_core.data.leaks import leaks
from pixel_core.records import Annotation, Query, Seed
from pixel_core.rewards.grading import extract_boxed, grade
from pixel_core.rollout.tool_calls import CLOSE, OPEN

#: Characters of a text; an analysis is a few sentences.
MAX_TEXT = 2000

_BOXED = r"\boxed"


class Replaced(StrEnum):
    """Words that the templates' own took the place of; counted in the metrics."""

    #: It stated the answer before the closer look: the look would have been for show.
    LEAKY_WHOLE_VIEW = "leaky_whole_view"
    LEAKY_SUBJECT = "leaky_subject"
    #: The template's own words happened to be the answer's, so others were drawn.
    LEAKY_BRIDGE = "leaky_bridge"
    #: The same in every draw: the turn is its call alone.
    WORDLESS = "wordless"
    #: It held a call or a boxed answer, or was over ``MAX_TEXT`` characters.
    UNUSABLE = "unusable"


@dataclass(frozen=True)
class GivenWords:
    """``values`` for the templates, and what was not taken."""

    values: Mapping[str, str]
    replaced: tuple[Replaced, ...]


def given_words(annotation: Annotation, nameless: str) -> GivenWords:
    """The annotation's words as values for the templates, those that are usable."""
    seed, replaced = annotation.seed, list[Replaced]()
    found = {
        "whole": _sentence(annotation.whole_view),
        "local": _sentence(annotation.local_view),
        "subject": " ".join(seed.subject.split()),
    }
    for name, text in found.items():
        if not _usable(text):
            found[name] = ""
            replaced.append(Replaced.UNUSABLE)
    subject = found.pop("subject") or nameless
    values = {name: text for name, text in found.items() if text}
    values |= _named(subject) | {
        "answer": seed.answers[0],
        "boxed": f"\\boxed{{{seed.answers[0]}}}",
    }
    return GivenWords(values, tuple(replaced))


def without_leaks(
    values: dict[str, str], nameless: str, secrets: Sequence[str]
) -> list[Replaced]:
    """Take the words that tell one of ``secrets`` out of ``values``; return which they were.

    Asked only about a turn that told one, since most tell none.
    """
    replaced = []
    if leaks(values.get("whole", ""), secrets):
        del values["whole"]
        replaced.append(Replaced.LEAKY_WHOLE_VIEW)
    if values["subject"] != nameless and leaks(values["subject"], secrets):
        values |= _named(nameless)
        replaced.append(Replaced.LEAKY_SUBJECT)
    return replaced


def spoken_answers(seed: Seed) -> tuple[str, ...]:
    """Every form in which the answer could be given away: as it stands, and of a choice
    also its letter or its text."""
    if not seed.choices:
        return seed.answers
    spoken = list(seed.answers)
    query = Query.from_seed(seed)
    for place, choice in enumerate(seed.choices):
        if grade(choice, query):
            spoken += [choice, chr(ord("A") + place)]
    return tuple(dict.fromkeys(spoken))


def answerable(seed: Seed) -> bool:
    """Whether the answer, boxed, would be read and graded as right."""
    answer = seed.answers[0]
    if OPEN in answer or CLOSE in answer:
        return False
    return grade(extract_boxed(f"\\boxed{{{answer}}}"), Query.from_seed(seed))


def _named(subject: str) -> dict[str, str]:
    return {"subject": subject, "Subject": subject[:1].upper() + subject[1:]}


def _usable(text: str) -> bool:
    return len(text) <= MAX_TEXT and not any(mark in text for mark in (OPEN, CLOSE, _BOXED))


def _sentence(text: str) -> str:
    """On one line, and ended like a sentence."""
    text = " ".join(text.split())
    return text + "." if text[-1:].isalnum() else text
