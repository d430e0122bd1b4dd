r"""A dataset's answer, out of the box that a dataset may write it in.

Datasets that are made for ``\boxed{}`` answers often store the box with the answer: Pixel
Reasoner's training code expects it (``"answer": "\\boxed{B}"``), and so does MATH, which also
has ``\fbox{B}`` and ``\boxed 5``. All readers take an answer out of it here.

| written | read |
|---|---|
| ``B``, ``\text{B}`` | as it is |
| ``\boxed{B}``, ``\boxed {B}``, ``\fbox{B}``, ``\boxed B`` | ``B`` |
| ``$\boxed{B}$``, ``\(\boxed{B}\).``, ``\boxed{\boxed{B}}``, ``\boxed{{B}}`` | ``B`` |
| ``\boxed{\frac{3}{4}}``, ``\boxed{\{1, 2\}}`` | ``\frac{3}{4}``, ``\{1, 2\}`` |
| ``So it is \boxed{B}.`` | ``B`` |
| ``\boxed{A} or \boxed{B}``, ``\boxed{B`` | as it is: which is meant, nobody can tell |

Readers refuse what still has a box in it. (A model's answer is read by
``rewards.grading.extract_boxed``: of several boxes the last, as it thinks while it writes.)
Source: MATH's ``last_boxed_only_string``, Pixel Reasoner's ``handle_boxed``.
"""

from __future__ import annotations

import ast
import re

from pixel_core.garbage import garbage_kept

#: The command, and what stands between it and what it boxes.
_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*")
#: A box without braces: MATH has "\boxed 5". What ends with the text.
_BARE = re.compile(r"[\s$]*\\(?:boxed|fbox)\s+([^\s{}$\\]+?)[\s$.]*")
#: Boxes in boxes that are opened; nobody writes more.
_DEPTH = 8

#: A flat list of texts and numbers, as ``repr`` writes it. Nothing in it nests, so Python's
#: own parser, which recurses, may read it.
_PYTHON_TEXT = r"""[uU]?(?:'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+")"""
_PYTHON_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_PYTHON_LIST = re.compile(
    rf"\[\s*+(?:(?:(?:{_PYTHON_TEXT}\s*+)++|{_PYTHON_NUMBER}\s*+)(?:,\s*+|(?=\])))*+\]"
)


def unboxed(answer: str) -> str:
    """The answer without its box, stripped; see the table of this module."""
    text = answer.strip()
    for _ in range(_DEPTH):
        if "\\" not in text:
            break
        bare = _BARE.fullmatch(text)
        held = {bare[1]} if bare else _boxes(text)
        if len(held) != 1:
            break
        text = _without_group(held.pop())
    return text


def holds_box(answer: str) -> bool:
    """Whether there is a box left in what ``unboxed`` gave."""
    return _BOX.search(answer) is not None


def listed_answers(value: object) -> list[str] | None:
    """The answers of a row of Pixel Reasoner's data: a text or a number, or a list of some,
    each with or without a box, in which a list of texts may be written.

    None for anything else. Empty texts stay, for the record's own check.
    """
    found: list[str] = []
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, bool) or not isinstance(one, str | int | float):
            return None
        text = unboxed(str(one))
        found += _python_list(text) or [text]
    return found


def _boxes(text: str) -> set[str]:
    """What the outermost boxes hold, their braces balanced; nothing where one never closes."""
    held: set[str] = set()
    place = 0
    while found := _BOX.search(text, place):
        end = closing_brace(text, found.end())
        if end is None:
            return set()
        held.add(text[found.end() + 1 : end].strip())
        place = end + 1
    return held


def closing_brace(text: str, start: int, stop: int | None = None) -> int | None:
    """Where the brace that opens at ``start`` closes, before ``stop``; escaped ones do not
    count. None where there is no such brace."""
    if text[start : start + 1] != "{":
        return None
    end = len(text) if stop is None else min(len(text), stop)
    depth, place = 0, start
    while place < end:
        char = text[place]
        if char == "\\":
            place += 1
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return place
        place += 1
    return None


def _without_group(text: str) -> str:
    """Without braces around all of it, which group and say nothing."""
    while text.startswith("{") and closing_brace(text, 0) == len(text) - 1:
        text = text[1:-1].strip()
    return text


def _python_list(text: str) -> list[str]:
    """The texts of a list written as Python writes it; [] for anything else."""
    if not _PYTHON_LIST.fullmatch(text):
        return []
    try:
        with garbage_kept():
            values = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return []
    return [str(value).strip() for value in values]
