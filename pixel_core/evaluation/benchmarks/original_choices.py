"""Options that stand inside a question's text, taken out where that is unambiguous.

Where it is not, the question stays as it is written, without choices. A line after the
options that says how to answer ("Answer with the option's letter ...") is dropped with them:
our prompt says that itself, and after the options are written anew it would stand before them.
"""

from __future__ import annotations

import re

#: "(A) red", "A. red", "A) red", "A: red" on a line of its own.
_LINE = re.compile(r"(?:\(([A-Z])\)|([A-Z])[.):])\s*(\S.*)")
#: "(A)" anywhere in a line.
_INLINE = re.compile(r"\(([A-Z])\)")
#: What must come before options in the same line: "Plan (A) or (B)?" has none.
_ENDED = ("?", ":", ".")
_HEADER = re.compile(r"(?:the )?(?:answer )?(?:options?|choices)(?: are)? ?:?", re.I)
_INSTRUCTION = re.compile(
    r"(?:please )?(?:answer|only give|select|choose|respond|reply|pick)\b.*", re.I
)
_QUESTION = re.compile(r"question ?:", re.I)
_LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def taken_apart(text: str) -> tuple[str, tuple[str, ...]]:
    """The question alone, and its options in order; (``text`` itself, ()) where there are
    none or it isn't clear which they are.

    Clear are options labelled A, B, C ... without a gap, each label once, with different
    texts, at the end of the question but for an instruction.
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
