r"""PixelReasoner-RL-Data and the evaluation files: question, image, answer, is_video, qid.

``image`` lists paths (of a video: of its frames), ``answer`` the accepted answers, each with
or without its ``\boxed{}``, and ``qid`` begins with its benchmark's name. Choices stand
inside the question and stay there.
"""

from __future__ import annotations

import re
from typing import Any

from pixel_core.data.faults import Problems
from pixel_core.rewards.boxed_answers import listed_answers

#: Where the pictures are shown; they are shown before the question here.
_PLACEHOLDER = re.compile(r"<(?:image|video)>[ \t]*\n?")


def rl_fields(place: str, row: dict[str, Any], problems: Problems) -> dict[str, Any] | None:
    """A manifest's fields; what else the row has is left alone."""
    answers = listed_answers(row.get("answer"))
    fields: dict[str, Any] = {
        "question": without_placeholders(row.get("question")),
        "images": _listed(row.get("image")),
        # What holds no answers is left for the record's own check.
        "answers": row.get("answer") if answers is None else answers,
        "is_video": row.get("is_video"),
    }
    qid = row.get("qid")
    if isinstance(qid, str) and qid:
        fields |= {"id": qid, "kind": qid.partition("-")[0]}
    missing = [name for name in ("question", "image", "answer") if row.get(name) is None]
    for name in missing:
        remedy = "check that this is a file of the format pixel_reasoner_rl"
        problems.add(place, name, None, "is missing", remedy)
    return None if missing else fields


def without_placeholders(text: Any) -> Any:
    """The question's text; anything but a text is left for the record's own check."""
    return _PLACEHOLDER.sub("", text).strip() if isinstance(text, str) else text


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value
