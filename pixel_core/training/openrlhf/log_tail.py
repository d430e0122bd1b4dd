"""A log that another process writes, read as it grows."""

from __future__ import annotations

from pathlib import Path


class Tail:
    """Whole lines of a file that another process writes, each once, the present ones first."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file = path.open("rb")
        self._rest = b""

    def lines(self) -> list[str]:
        """Those that were completed since the last call."""
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        return [line.decode("utf-8", errors="replace") for line in whole]

    def close(self) -> None:
        self._file.close()


def last_lines(path: Path, count: int = 20, limit: int = 4000) -> str:
    """The end of a text that may be long; "" if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 4 * limit))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")]
    return "\n".join([line for line in lines if line][-count:])[-limit:]
