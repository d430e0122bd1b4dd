"""Checks texts that a model writes for trajectories: plain, short, no answer leaked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from pixel_core.data.annotation.outcome import AnnotationFault, Unusable
from pixel_core.data.leaks import leaks

#: Character limits of a view, of a question, and of a phrase of a few words.
MAX_VIEW = 800
MAX_QUESTION = 400
MAX_FEW_WORDS = 120

#: Text that the dialogue would parse as structure, or read as a final answer.
_STRUCTURE = re.compile(r"<\|[^|<>]*\|>|</?tool_(call|response)>|</?tools>|\\boxed")

#: Annotator jargon that would puzzle a reader who sees only the picture.
_TRADE = re.compile(
    r"\b(?:crop(?:s|ped|ping)?|bounding|bbox|coordinates?|annotat\w+|red rectangle"
    r"|(?:the|this|given|correct|provided) answer|answer (?:is|was) given)\b",
    re.IGNORECASE,
)
#: Words that show that a question is about a region and not about the picture.
_REGION = re.compile(
    r"\b(?:regions?|(?:in|inside|within|of) (?:the|this|that|a) (?:\w+ )?(?:box|area|patch"
    r"|section|rectangle|square)|highlighted|box(?:es)?|zoom\w*|magnif\w+|enlarged?|insets?"
    r"|close[- ]?ups?|cut-?outs?|snippets?|thumbnails?|pixels?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Texts:
    """Checked texts of one annotation."""

    subject: str
    whole_view: str
    local_view: str


def checked_texts(
    subject: str,
    whole_view: str,
    local_view: str,
    answers: Sequence[str],
    *,
    cued: bool,
) -> Texts:
    """The three texts, plain; ``Unusable`` for one that can't be in a trajectory.

    ``cued``: a closer look follows, so the texts before it may not state the answer.
    Without one, only ``whole_view`` is used and needed.
    """
    texts = Texts(
        subject=plain("subject", subject, MAX_FEW_WORDS, needed=cued),
        whole_view=plain("whole_view", whole_view, MAX_VIEW),
        local_view=plain("local_view", local_view, MAX_VIEW, needed=cued),
    )
    for field in ("subject", "whole_view", "local_view"):
        if found := _TRADE.search(getattr(texts, field)):
            raise Unusable(
                AnnotationFault.MENTION,
                f"{field} says {found[0]!r}; write as someone who only looks at the picture",
            )
    for field in ("subject", "whole_view") if cued else ():
        if leaks(getattr(texts, field), answers):
            raise Unusable(
                AnnotationFault.LEAK,
                f"{field} gives the answer away; it must not be said before local_view",
            )
    return texts


def checked_question(text: str) -> str:
    """A proposed question, plain; ``Unusable`` if it mentions the region it came from."""
    question = plain("question", text, MAX_QUESTION)
    if found := _TRADE.search(question) or _REGION.search(question):
        raise Unusable(
            AnnotationFault.MENTION,
            f"question says {found[0]!r}; ask about the thing itself, as someone would who "
            "sees only the whole picture",
        )
    return question


def plain(field: str, text: str, limit: int, *, needed: bool = True) -> str:
    """One line of plain text of at most ``limit`` characters."""
    # Control and format characters (direction marks, zero widths) are dropped.
    kept = "".join(c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    text = " ".join(kept.split())
    if needed and not text:
        raise Unusable(AnnotationFault.TEXT, f"{field} is empty")
    if len(text) > limit:
        raise Unusable(
            AnnotationFault.TEXT,
            f"{field} has {len(text)} characters, at most {limit} are allowed",
        )
    if found := _STRUCTURE.search(text):
        raise Unusable(
            AnnotationFault.TEXT, f"{field} contains {found.group()!r}; write plain sentences"
        )
    return text
