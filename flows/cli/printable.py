"""Text that others wrote, made fit for a terminal."""

from __future__ import annotations

import re
import unicodedata

#: Terminal sequences as a whole: CSI, then OSC, DCS and their like up to their end, then any
#: other escape with the character it is about.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x85\v\f]")


def printable(text: str) -> str:
    """Without terminal sequences, control characters, and marks that turn the writing's
    direction or are seen by nobody; lines stay lines, a tab becomes a space."""
    text = _LINE_ENDS.sub("\n", _SEQUENCES.sub("", text)).replace("\t", " ")
    return "".join(
        letter
        for letter in text
        if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
