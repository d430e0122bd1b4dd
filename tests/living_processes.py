"""The processes of this machine that have not ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """One process, as Linux lists it below ``/proc``."""

    number: int
    parent: int
    session: int
    command: str


def living() -> Iterator[Process]:
    """Every process but zombies; one that ends while we look may be missing."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if fields[0] not in "ZX":
            number = int(folder.name)
            yield Process(number, int(fields[1]), int(fields[3]), command.strip())
