"""Pixel Reasoner's own evaluation sets: one Parquet file beside ``images.zip``.

The zip may stay packed; unpacked it is the folder ``images``. A video's frames were chosen by
the authors, so ``frames`` has no effect here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pixel_core.config import BenchmarkDataConfig
from pixel_core.data.faults import Problems
from pixel_core.data.hub_files import Copy
from pixel_core.errors import DataError
from pixel_core.evaluation.benchmarks.mvbench_tasks import TASKS
from pixel_core.evaluation.benchmarks.reading import Item
from pixel_core.evaluation.benchmarks.registry import Layout
from pixel_core.evaluation.benchmarks.tables import parquet_columns, parquet_rows
from pixel_core.media.picture_files import MediaFiles, PictureFile
from pixel_core.rewards.boxed_answers import listed_answers

# Options inside a question's text, extracted where that is unambiguous.
#
# Otherwise the question stays as written, without choices. A line after the options that says
# how to answer ("Answer with the option's letter ...") is dropped with them: our prompt says
# the same, and the line would end up before the rewritten options.


#: "(A) red", "A. red", "A) red", "A: red" on a line of its own.
_LINE = re.compile(r"(?:\(([A-Z])\)|([A-Z])[.):])\s*(\S.*)")
#: "(A)" anywhere in a line.
_INLINE = re.compile(r"\(([A-Z])\)")
#: Required before options in the same line: "Plan (A) or (B)?" has none.
_ENDED = ("?", ":", ".")
_HEADER = re.compile(r"(?:the )?(?:answer )?(?:options?|choices)(?: are)? ?:?", re.I)
_INSTRUCTION = re.compile(
    r"(?:please )?(?:answer|only give|select|choose|respond|reply|pick)\b.*", re.I
)
_QUESTION = re.compile(r"question ?:", re.I)
_LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def taken_apart(text: str) -> tuple[str, tuple[str, ...]]:
    """The question alone, and its options in order; (``text`` itself, ()) if there are none or
    they are unclear.

    Options are clear if labelled A, B, C ... without a gap, each label once, with different
    texts, at the end of the question except for an instruction.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    question, options, rest = _by_line(lines) or _in_a_line(lines) or ([], [], [])
    if question and _HEADER.fullmatch(question[-1]):
        question = question[:-1]
    stem = "\n".join(question)
    if begun := _QUESTION.match(stem):
        stem = stem[begun.end() :].lstrip()
    ordered = "".join(label for label, _ in options) == _LABELS[: len(options)]
    texts = tuple(option for _, option in options)
    distinct = all(texts) and len({option.casefold() for option in texts}) == len(texts)
    told = all(_INSTRUCTION.fullmatch(line) for line in rest)
    return (stem, texts) if stem and ordered and distinct and told else (text, ())


#: Lines before the options, the options as (label, text), lines after them.
_Parts = tuple[list[str], list[tuple[str, str]], list[str]]


def _by_line(lines: list[str]) -> _Parts | None:
    labelled = [_LINE.fullmatch(line) for line in lines]
    places = [place for place, found in enumerate(labelled) if found]
    if len(places) < 2 or places[-1] - places[0] >= len(places):
        return None
    options = [(found[1] or found[2], found[3]) for found in labelled if found]
    return lines[: places[0]], options, lines[places[-1] + 1 :]


def _in_a_line(lines: list[str]) -> _Parts | None:
    places = [place for place, line in enumerate(lines) if _INLINE.search(line)]
    if len(places) != 1:
        return None
    head, *parts = (part.strip() for part in _INLINE.split(lines[places[0]]))
    before = [*lines[: places[0]], *([head] if head else [])]
    if len(parts) < 4 or not before or not before[-1].endswith(_ENDED):
        return None
    options = list(zip(parts[::2], parts[1::2], strict=True))
    return before, options, lines[places[0] + 1 :]


# A row of the original's evaluation parquets, interpreted.
#
# Columns: ``question``, ``image`` (paths below the dataset's folder; for a video its frames, in
# order), ``answer``, ``qid``, and in some files ``is_video``. Sources: TIGER-AI-Lab's
# Pixel-Reasoner (``onestep_evaluation/``,
# ``curiosity_driven_rl/openrlhf/datasets/prompts_dataset.py``) and verl-tool
# (``examples/data_preprocess/pixel_reasoner/``). The files themselves could not be fetched
# here, so we read every form that public converters of them handle: a question that begins
# with ``<image>``, an answer alone or in a list, each with or without ``\boxed{}``, a list
# written as text inside one box.


COLUMNS = ("question", "image", "answer", "qid")
OPTIONAL = ("is_video",)

#: Most characters of a question, an answer, a path.
MAX_TEXT = 4000

#: Most pictures, or frames.
MAX_PICTURES = 64

#: Kinds that the benchmarks' own layouts distinguish; here a qid or a path may name one.
_KINDS = ("direct_attributes", "relative_position", *TASKS)

_PLACEHOLDER = re.compile(r"<(?:image|video)>[ \t]*\n?")
_LETTER = re.compile(r"(?:option )?\(?([A-Z])\)?(?:[.):]|$)\s*(.*)", re.I | re.S)
_MEND = "fetch the file again, or mend the row"


def item_of(place: str, number: int, fields: dict[str, Any], problems: Problems) -> Item | None:
    """The question of row ``number``, from 1; None if it has faults, which are all noted."""
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
    """A kind named in the id or a picture's path; else the id's prefix, which is the
    benchmark's name, as in the training data ("vstar-17")."""
    for text in (id, path):
        plain = re.sub(r"[\s-]+", "_", text.lower())
        named = [kind for kind in _KINDS if kind in plain]
        if len(named) == 1:
            return named[0]
    return id.partition("-")[0] if "-" in id else ""


def _texts(value: Any) -> tuple[str, ...]:
    """One text or a list of texts; () for anything else, or if one is too long or empty."""
    values = value if isinstance(value, list) else [value]
    numbers = (int, float)
    texts = [
        str(one) if isinstance(one, numbers) and not isinstance(one, bool) else one
        for one in values
    ]
    sound = all(isinstance(one, str) and 0 < len(one.strip()) <= MAX_TEXT for one in texts)
    return tuple(one.strip() for one in texts) if sound else ()


def _named(answer: str, choices: tuple[str, ...]) -> set[int]:
    """Which options an answer names, 0-based; a valid answer names one.

    By its exact text, or its letter, alone or before the option's text. Case is ignored only
    where neither decides: a capital letter alone is a letter, even if an option's text is that
    letter in lower case.
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


class OriginalReader:
    """See ``reading.Reader``."""

    parallel = False

    def __init__(self, copy: Copy, layout: Layout, settings: BenchmarkDataConfig) -> None:
        self._table = _table(copy.root, layout)
        self.media = MediaFiles(copy.root, setting="its `local`", links=copy.links)

    def tables(self) -> Sequence[Path]:
        return [self._table]

    def items(self, problems: Problems) -> Iterator[Item]:
        known = parquet_columns(self._table)
        columns = [*COLUMNS, *(name for name in OPTIONAL if name in known)]
        for number, (place, fields) in enumerate(parquet_rows([self._table], columns), 1):
            item = item_of(place, number, fields, problems)
            if item is not None:
                yield item

    def pictures(self, item: Item, files: Sequence[PictureFile]) -> Sequence[PictureFile]:
        return files


def _table(root: Path, layout: Layout) -> Path:
    """The questions' file: the one the layout names, else the only one."""
    named = [root / name for name in layout.files if name.endswith(".parquet")]
    found = [path for path in named if path.is_file()] or sorted(root.glob("*.parquet"))
    if len(found) != 1:
        what = "several Parquet files" if found else "no Parquet file"
        raise DataError(
            f"there is {what} in {str(root)!r}; it needs one beside images.zip, as in the "
            f"dataset {layout.dataset}"
        )
    return found[0]
