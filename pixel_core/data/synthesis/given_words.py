"""Filters the text that came with an annotation for use in its trajectory.

It is untrusted: a text with a call or a boxed answer in it would end or change its turn. And
text before the closer look must not state what only the look shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pixel_core.data.leaks import leaks
from pixel_core.records import Annotation, Query, Seed
from pixel_core.rewards.grading import extract_boxed, grade
from pixel_core.rollout.tool_calls import CLOSE, OPEN

#: Characters of a text; an analysis has a few sentences.
MAX_TEXT = 2000

_BOXED = r"\boxed"


class Replaced(StrEnum):
    """Why the template's own words replaced a text; counted in the metrics."""

    #: It stated the answer before the closer look, which would then be for show.
    LEAKY_WHOLE_VIEW = "leaky_whole_view"
    LEAKY_SUBJECT = "leaky_subject"
    #: The template's own words happened to match the answer, so others were drawn.
    LEAKY_BRIDGE = "leaky_bridge"
    #: They matched in every draw: the turn is its call alone.
    WORDLESS = "wordless"
    #: It held a call or a boxed answer, or was over ``MAX_TEXT`` characters.
    UNUSABLE = "unusable"


@dataclass(frozen=True)
class GivenWords:
    """``values`` for the templates, and the rejected texts."""

    values: Mapping[str, str]
    replaced: tuple[Replaced, ...]


def given_words(annotation: Annotation, nameless: str) -> GivenWords:
    """The annotation's usable texts as values for the templates."""
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
    """Remove the texts that leak one of ``secrets`` from ``values``; return their names.

    Called only for a turn that leaked one, since most leak none.
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
    """Every form that could give the answer away: the answer itself and, for a choice, also
    its letter or its text."""
    if not seed.choices:
        return seed.answers
    spoken = list(seed.answers)
    query = Query.from_seed(seed)
    for place, choice in enumerate(seed.choices):
        if grade(choice, query):
            spoken += [choice, chr(ord("A") + place)]
    return tuple(dict.fromkeys(spoken))


def answerable(seed: Seed) -> bool:
    """Whether the boxed answer would be parsed and graded as right."""
    answer = seed.answers[0]
    if OPEN in answer or CLOSE in answer:
        return False
    return grade(extract_boxed(f"\\boxed{{{answer}}}"), Query.from_seed(seed))


def _named(subject: str) -> dict[str, str]:
    return {"subject": subject, "Subject": subject[:1].upper() + subject[1:]}


def _usable(text: str) -> bool:
    return len(text) <= MAX_TEXT and not any(mark in text for mark in (OPEN, CLOSE, _BOXED))


def _sentence(text: str) -> str:
    """The text on one line, ending like a sentence."""
    text = " ".join(text.split())
    return text + "." if text[-1:].isalnum() else text
