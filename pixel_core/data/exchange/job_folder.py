"""The folder of a resumable job: which job it is, how far it came, whether it is done.

``<job>.json`` identifies the job; it is written first, and again with the counts when all is
done. Lines are appended to ``<name>.part``, which is renamed at the end, so a file with its
final name is complete. The same job started again resumes after the last complete line.
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

#: Lines between two flushes to disk.
_FLUSH_EVERY = 200


class JobFolder:
    """``identity``: JSON values that distinguish this job from any other."""

    def __init__(self, root: Path, job: str, identity: dict[str, Any]) -> None:
        self.root = root
        self._label = root / f"{job}.json"
        self._job = job
        self._identity = identity

    def open(self) -> dict[str, Any] | None:
        """Claim the folder; returns the counts if the job was done before.

        Raises ``DataError`` for a folder with other content.
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
        """Mark the job as done."""
        self._write({"identity": self._identity, "counts": counts})

    @contextmanager
    def lines(self, name: str) -> Iterator[PartLines]:
        """The file's lines so far, to be continued; the file gets its final name if the block
        ends without an error."""
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
    """Appends lines of JSON, after cutting off an incomplete last one."""

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
