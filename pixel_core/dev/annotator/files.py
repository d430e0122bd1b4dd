"""The endpoint's files: uploaded batch inputs, and batch outputs."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from email.message import Message
from itertools import count
from pathlib import Path
from typing import Any

from pixel_core.dev.annotator.http_reply import HttpReply, error_reply, json_reply


@dataclass(frozen=True)
class StoredFile:
    id: str
    path: Path
    name: str
    purpose: str

    def described(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.path.stat().st_size,
            "created_at": 0,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
        }


class FileShelf:
    """Files by id, in a folder. Client-supplied names are stored, never used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._files: dict[str, StoredFile] = {}

    def upload(self, content_type: str, body: bytes) -> HttpReply:
        """The response to ``POST /v1/files``, a multipart form with purpose and file."""
        parts = _form(content_type, body)
        if parts is None or "file" not in parts or "purpose" not in parts:
            return error_reply(400, "send a multipart form with the fields purpose and file")
        name, data = parts["file"]
        purpose = parts["purpose"][1].decode("utf-8", "replace")
        if purpose != "batch":
            return error_reply(400, f"purpose {purpose!r} is not known here: use batch")
        file = self.add(name, purpose)
        file.path.write_bytes(data)
        return json_reply(file.described())

    def add(self, name: str, purpose: str) -> StoredFile:
        """A new, empty file."""
        with self._lock:
            id = f"file-{next(self._numbers):06d}"
            file = StoredFile(id, self._folder / id, name, purpose)
            file.path.touch()
            self._files[id] = file
        return file

    def get(self, id: str) -> StoredFile | None:
        with self._lock:
            return self._files.get(id)

    def purposes(self) -> list[str]:
        """The purposes of all files, oldest first."""
        with self._lock:
            return [file.purpose for file in self._files.values()]

    def describe(self, id: str) -> HttpReply:
        file = self.get(id)
        return json_reply(file.described()) if file else _unknown(id)

    def content(self, id: str) -> HttpReply:
        file = self.get(id)
        if file is None:
            return _unknown(id)
        return HttpReply(200, path=file.path, content_type="application/octet-stream")

    def delete(self, id: str) -> HttpReply:
        with self._lock:
            file = self._files.pop(id, None)
        if file is None:
            return _unknown(id)
        file.path.unlink()
        return json_reply({"id": id, "object": "file", "deleted": True})


def _unknown(id: str) -> HttpReply:
    return error_reply(404, f"No such File object: {id}")


def _form(content_type: str, body: bytes) -> dict[str, tuple[str, bytes]] | None:
    """The fields of a multipart form as (file name, data); None for an invalid form."""
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_boundary()
    if message.get_content_type() != "multipart/form-data" or not boundary:
        return None
    fields = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode("utf-8", "replace"))[1:]:
        head, blank, data = part.partition(b"\r\n\r\n")
        if not blank:
            continue
        header = Message()
        for line in head.decode("utf-8", "replace").splitlines():
            name, colon, value = line.partition(":")
            if colon:
                header[name] = value.strip()
        field = header.get_param("name", header="content-disposition")
        if isinstance(field, str):
            fields[field] = header.get_filename() or "", data
    return fields
