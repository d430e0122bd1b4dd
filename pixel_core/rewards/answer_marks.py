r"""Where a turn marks its answer: ``\boxed{B}``, ``<answer>B</answer>``, a thought left out.

A box inside a thought (``<think>...</think>``) is a draft: only what follows the last thought
counts, and a thought that never ends has no answer. Boxes: the last one decides. Tags
(``<answer>``, GLM-V's ``<|begin_of_box|>``): each is read, and one that ends the turn need not
be closed. Box and tags must agree: a reader calls the turn right only where every one
of them is (``marked``).
"""

from __future__ import annotations

import re

from pixel_core.rewards.boxed_answers import closing_brace

#: Characters between the braces; more than this is not an answer.
MAX_ANSWER = 512

_BOX = "\\boxed"
_OPEN = re.compile(r"\s{0,9}\{")
_THOUGHT = r"(?:think|thinking|thought|reasoning)\s?"
_THOUGHT_ENDS = re.compile(rf"</{_THOUGHT}>|◁/think▷|<\|end_of_thought\|>", re.IGNORECASE)
_THOUGHT_BEGINS = re.compile(rf"<{_THOUGHT}>|◁think▷|<\|begin_of_thought\|>", re.IGNORECASE)
#: What ends a turn, where a server leaves it in the text; its length, and that of some blanks.
_LAST_TOKENS = re.compile(
    r"(?:\s*(?:</s>|<\|(?:im_end|endoftext|end|eot_id|eos)\|>|<end_of_turn>|<eos>))+\s*\Z"
)
_TAIL = 80
_TAG_BEGINS = re.compile(r"<(?:final[_ ]?)?answer\s?>|<\|begin_of_box\|>", re.IGNORECASE)
_TAG_ENDS = re.compile(r"</(?:final[_ ]?)?answer\s?>|<\|end_of_box\|>", re.IGNORECASE)


def after_thought(text: str) -> str:
    """What follows the last thought; all of a text without one, nothing of an endless one."""
    if "<" not in text and "◁" not in text:
        return text
    if text.rstrip().endswith(">"):
        text = text[:-_TAIL] + _LAST_TOKENS.sub("", text[-_TAIL:])
    end = 0
    for found in _THOUGHT_ENDS.finditer(text):
        end = found.end()
    return "" if _THOUGHT_BEGINS.search(text, end) else text[end:]


def extract_boxed(text: str) -> str | None:
    r"""What the last ``\boxed{...}`` after the thought holds, stripped; None without one.

    Braces inside are balanced, escaped ones (``\{``) do not count. The last box decides: when
    it never closes, or holds more than ``MAX_ANSWER`` characters, an earlier one is not used.
    """
    text = after_thought(text)
    start = text.rfind(_BOX)
    while start >= 0:
        if opened := _OPEN.match(text, start + len(_BOX)):
            inside = opened.end()
            end = closing_brace(text, inside - 1, inside + MAX_ANSWER + 1)
            return None if end is None else text[inside:end].strip()
        start = text.rfind(_BOX, 0, start)
    return None


def marked(text: str) -> tuple[str, ...] | None:
    """The texts that a turn marks as its answer, the box first; () where it marks none.

    None where a mark can't be read: a box that never closes, an empty box or tag, or one with
    more than ``MAX_ANSWER`` characters.
    """
    text = after_thought(text)
    box = extract_boxed(text)
    if box == "" or (box is None and _has_box(text)):
        return None
    found = [] if box is None else [box]
    for tag in _tags(text):
        inside = extract_boxed(tag)
        if inside is None:
            inside = tag.strip()
        if not inside or len(inside) > MAX_ANSWER:
            return None
        found.append(inside)
    return tuple(dict.fromkeys(found))


def answer_in(text: str) -> str | None:
    """The one text that stands for the answer of a turn: the box, or else what its tags agree
    on but for case and white space. None where there is none."""
    found = marked(text)
    if not found:
        return None
    if extract_boxed(text) is not None:
        return found[0]
    return found[0] if len({"".join(tag.split()).casefold() for tag in found}) == 1 else None


def _has_box(text: str) -> bool:
    return _BOX in text


def _tags(text: str) -> list[str]:
    if "<" not in text:
        return []
    found, place = [], 0
    while begins := _TAG_BEGINS.search(text, place):
        ends = _TAG_ENDS.search(text, begins.end())
        found.append(text[begins.end() : ends.start() if ends else len(text)])
        place = ends.end() if ends else len(text)
    return found
