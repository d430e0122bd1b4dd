"""Collects all faults of a user's dataset, to report them at once."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from pixel_core.errors import DataError
from pixel_core.nesting import is_deeper

#: Faults listed in one error; a dataset with thousands of faults has few causes.
SHOWN = 20
#: Quoted characters of a faulty value.
QUOTED = 120


class Problems:
    """A list of faults, each with place, value and remedy; bounded in memory."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self._shown: list[str] = []
        self.count = 0
        #: Faults per field; "record" stands for the whole record.
        self.by_field: Counter[str] = Counter()

    def add(self, place: str, field: str, value: Any, fault: str, remedy: str) -> None:
        """``place`` is the file and line; ``field`` may be "" for a whole record."""
        self.count += 1
        self.by_field[field.partition(".")[0] or "record"] += 1
        if len(self._shown) < SHOWN:
            where = f"{place}, field {field!r}" if field else place
            line = f"  {where}: {quote(value)} {fault}; {remedy}"
            # JSON can hold a lone surrogate, which no terminal and no file accepts.
            self._shown.append(line.encode("utf-8", "backslashreplace").decode())

    def raise_if_any(self) -> None:
        """Raise one ``DataError`` that lists the faults found."""
        if not self.count:
            return
        plural = "problem" if self.count == 1 else "problems"
        told = "\n".join(self.lines())
        raise DataError(f"{self.subject} can't be used, {self.count} {plural}:\n{told}")

    def lines(self) -> list[str]:
        """The first ``SHOWN`` faults, and the number of the others."""
        lines = list(self._shown)
        if self.count > len(lines):
            lines.append(f"  ... and {self.count - len(lines)} more")
        return lines


def quote(value: Any) -> str:
    """A value as the user wrote it, JSON where possible, shortened."""
    if is_deeper(value):
        return f"a {type(value).__name__} nested too deeply to be shown"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= QUOTED else text[:QUOTED] + "..."
