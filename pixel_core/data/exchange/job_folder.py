"""A folder that an interruptible job fills: whose it is, how far it came, whether it is done.

``<job>.json`` says what the job is; it is written first, and again with the counts when all
is done. Lines are appended to ``<name>.part``, which gets its name in the end, so a file with
its name is whole. The same job begun again goes on after the last complete line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from pixel_core.errors import DataError
from pixel_core.nesting import loads

#: Lines written between two flushes to the disk.
_FLUSH_EVERY = 200


class JobFolder:
    """``identity``: JSON values that tell this job from any other."""

    def __init__(self, root: Path, job: str, identity: dict[str, Any]) -> None:
        self.root = root
        self._label = root / f"{job}.json"
        self._job = job
        self._identity = identity

    def open(self) -> dict[str, Any] | None:
        """Claim the folder; the counts, if the job was done before.

        Raises ``DataError`` for a folder that holds anything else.
        """
        if self.root.exists() and not self.root.is_dir():
            raise DataError(f"{self.root} is a file; name a folder")
        if self._label.is_file():
            found = self._read()
            if found.get("identity") != json.loads(json.dumps(self._identity)):
                raise DataError(
                    f"{self.root} holds another {self._job} ({self._label.name} says which); "
                    "choose another folder, or remove that one"
                )
            return found.get("counts")
        if self.root.is_dir() and any(self.root.iterdir()):
            raise DataError(f"the folder {self.root} is not empty; choose another one")
        self.root.mkdir(parents=True, exist_ok=True)
        self._write({"identity": self._identity})
        return None

    def close(self, counts: dict[str, Any]) -> None:
        """The job is done."""
        self._write({"identity": self._identity, "counts": counts})

    @contextmanager
    def lines(self, name: str) -> Iterator[PartLines]:
        """The file's lines so far, to go on from; the file gets its name if the block ends
        well."""
        part = self.root / f"{name}.part"
        with part.open("a+b") as out:
            yield PartLines(out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, self.root / name)

    def _read(self) -> dict[str, Any]:
        try:
            found = loads(self._label.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{self._label} is damaged ({error}); remove the folder") from error
        return found if isinstance(found, dict) else {}

    def _write(self, values: dict[str, Any]) -> None:
        part = self._label.with_name(f"{self._label.name}.part")
        part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        os.replace(part, self._label)


class PartLines:
    """Lines of JSON, appended; an incomplete last one is cut off first."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        out.seek(0)
        whole = 0
        self.count = 0
        for line in out:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            self.count += 1
        out.truncate(whole)
        out.seek(whole)

    def add(self, line: str) -> None:
        self._out.write(line.encode("utf-8") + b"\n")
        self.count += 1
        if self.count % _FLUSH_EVERY == 0:
            self._out.flush()
