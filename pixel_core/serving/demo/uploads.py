"""The files that visitors gave: the only ones of this machine that a question may name.

Gradio hands a picture on by its path, and whoever asks may write any path there. Where the page
is mounted in another application Gradio itself checks none.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pixel_core.errors import MediaError
from pixel_core.nesting import loads

#: The same words for a file that is there and one that is not: they tell nobody which are.
NOT_UPLOADED = "only a file that was uploaded on this page can be asked about: upload it again"


class Uploads:
    """``folder``: where they lie, and nothing of anybody else's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def holds(self, path: str) -> bool:
        """Whether this path, its links followed, is below the folder; not whether it exists."""
        try:
            return self._folder in Path(path).resolve().parents
        except (OSError, ValueError, RuntimeError):  # too long, a zero byte, a ring of links
            return False

    def path(self, path: str) -> Path:
        """The upload. ``MediaError`` for what is none, or went since."""
        found = Path(path)
        if not self.holds(path) or not found.is_file():
            raise MediaError(NOT_UPLOADED)
        return found

    def named_alone(self, body: bytes) -> bool:
        """Whether a request's JSON names no file but these; False for what is no JSON."""
        others: list[str] = []

        def look(pairs: list[tuple[str, Any]]) -> None:
            # All pairs, since parsers differ in which of two equal keys they take.
            others.extend(
                str(value)
                for key, value in pairs
                if key == "path" and value is not None and not self.holds(str(value))
            )

        try:
            loads(body, object_pairs_hook=look)
        except ValueError:
            return False
        return not others

    def size(self) -> int:
        """Bytes of all of them."""
        total = 0
        for place, _, names in os.walk(self._folder):
            for name in names:
                with suppress(OSError):  # removed meanwhile
                    total += os.stat(os.path.join(place, name)).st_size
        return total
