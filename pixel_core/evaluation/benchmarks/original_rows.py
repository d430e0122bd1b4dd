r"""A row of the original's evaluation parquets, taken for what it means.

Columns: ``question``, ``image`` (paths below the dataset's folder; of a video: of its frames,
in order), ``answer``, ``qid``, and in some files ``is_video``. Sources: TIGER-AI-Lab's
Pixel-Reasoner (``onestep_evaluation/``, ``curiosity_driven_rl/openrlhf/datasets/
prompts_dataset.py``) and verl-tool (``examples/data_preprocess/pixel_reasoner/``). The files
themselves could not be fetched here, so forms that public converters of them handle are all
read: a question that begins with ``<image>``, an answer alone or in a list, each with or
without ``\boxed{}``, a written list of texts inside one box.
"""

from __future__ import annotations

import re
from typing import Any

from pixel_core.data.faults import Problems
from pixel_core.evaluation.benchmarks.mvbench_tasks import TASKS
from pixel_core.evaluation.benchmarks.original_choices import taken_apart
from pixel_core.evaluation.benchmarks.reading import Item
from pixel_core.rewards.boxed_answers import listed_answers

COLUMNS = ("question", "image", "answer", "qid")
OPTIONAL = ("is_video",)

#: Of a question, an answer, a path.
MAX_TEXT = 4000

#: Pictures, or frames.
MAX_PICTURES = 64

#: Kinds that the benchmarks' own layouts tell apart; here a qid or a path may name one.
_KINDS = ("direct_attributes", "relative_position", *TASKS)

_PLACEHOLDER = re.compile(r"<(?:image|video)>[ \t]*\n?")
_LETTER = re.compile(r"(?:option )?\(?([A-Z])\)?(?:[.):]|$)\s*(.*)", re.I | re.S)
_MEND = "fetch the file again, or mend the row"


def item_of(place: str, number: int, fields: dict[str, Any], problems: Problems) -> Item | None:
    """The question of row ``number``, from 1; None after every fault of it was noted."""
    before = problems.count
    text = fields["question"]
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        problems.add(place, "question", text, "is no text", _MEND)
        text = ""
    paths = _texts(fields["image"])
    if not 0 < len(paths) <= MAX_PICTURES:
        state = f"is not a list of 1 to {MAX_PICTURES} paths"
        problems.add(place, "image", fields["image"], state, _MEND)
    written = _texts(fields["answer"])
    answers = _texts(listed_answers(list(written)))
    if not answers:
        problems.add(place, "answer", fields["answer"], "is no text, nor a list of some", _MEND)
    is_video = fields.get("is_video")
    if not isinstance(is_video, bool | None):
        problems.add(place, "is_video", is_video, "is neither true nor false", _MEND)
    question, choices = taken_apart(_PLACEHOLDER.sub("", text).strip())
    named = [_named(answer, choices) for answer in answers] if choices else []
    keys = set().union(*named)
    if named and (len(keys) > 1 or not all(named)):
        state = "names two of the options" if all(named) else "is not one of the options"
        problems.add(place, "answer", list(answers), f"{state} {list(choices)}", _MEND)
    if problems.count > before:
        return None
    id = str(fields["qid"] or f"row-{number}")
    return Item(
        id=id,
        place=place,
        question=question,
        answers=answers,
        choices=choices,
        key=keys.pop() if keys else None,
        kind=kind_of(id, paths[0]),
        is_video=bool(is_video),
        paths=paths,
    )


def kind_of(id: str, path: str) -> str:
    """A kind that the id or a picture's path names; else the id's beginning, which is the
    benchmark's name, as in the training data ("vstar-17")."""
    for text in (id, path):
        plain = re.sub(r"[\s-]+", "_", text.lower())
        named = [kind for kind in _KINDS if kind in plain]
        if len(named) == 1:
            return named[0]
    return id.partition("-")[0] if "-" in id else ""


def _texts(value: Any) -> tuple[str, ...]:
    """One text, or a list of some; () for anything else, or where one is too long or empty."""
    values = value if isinstance(value, list) else [value]
    numbers = (int, float)
    texts = [
        str(one) if isinstance(one, numbers) and not isinstance(one, bool) else one
        for one in values
    ]
    sound = all(isinstance(one, str) and 0 < len(one.strip()) <= MAX_TEXT for one in texts)
    return tuple(one.strip() for one in texts) if sound else ()


def _named(answer: str, choices: tuple[str, ...]) -> set[int]:
    """Which options an answer names, 0-based; a sound answer names one.

    By its exact text, and by its letter alone or before the option's text. Upper and lower
    case are one only where neither decides: a capital letter alone is a letter, though an
    option may read as its small one.
    """
    exact = {place for place, choice in enumerate(choices) if choice == answer}
    folded = [_folded(choice) for choice in choices]
    label = _LETTER.fullmatch(answer)
    lettered: set[int] = set()
    if label is not None:
        place, rest = ord(label[1].upper()) - ord("A"), _folded(label[2])
        if place < len(choices) and rest in ("", folded[place]):
            lettered = {place}
            if label[1].isupper() and not rest:
                return exact | lettered
    if exact:
        return exact | lettered
    return lettered | {n for n, choice in enumerate(folded) if choice == _folded(answer)}


def _folded(text: str) -> str:
    return text.strip().rstrip(".").casefold()
