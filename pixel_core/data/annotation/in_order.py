"""Results that come in any order, kept on disk until they are read in theirs."""

from __future__ import annotations

import tempfile
from array import array
from pathlib import Path
from types import TracebackType

_NONE = -1


class InOrder:
    """Byte strings by number. Memory: 8 bytes a number; the rest is in a nameless file."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed in __exit__
        self._places = array("q")
        self._end = 0

    def __enter__(self) -> InOrder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def put(self, number: int, data: bytes) -> None:
        """Keep ``data`` under a number from 0; ``ValueError`` for one that is taken."""
        missing = number + 1 - len(self._places)
        if missing > 0:
            self._places.extend([_NONE] * missing)
        if self._places[number] != _NONE:
            raise ValueError(f"number {number} was put before")
        self._places[number] = self._end
        self._file.seek(self._end)
        self._end += self._file.write(len(data).to_bytes(8, "big") + data)

    def get(self, number: int) -> bytes | None:
        """What was kept under the number; None for nothing."""
        if number >= len(self._places) or self._places[number] == _NONE:
            return None
        self._file.seek(self._places[number])
        return self._file.read(int.from_bytes(self._file.read(8), "big"))
