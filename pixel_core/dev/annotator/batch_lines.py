"""The lines of a batch's files: requests in, responses and errors out."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from pixel_core.dev.annotator.chat import ChatDesk
from pixel_core.dev.annotator.script import ScriptedFault
from pixel_core.nesting import loads

#: Most lines of a batch.
MOST = 50_000
#: Most errors reported for a file.
_TOLD = 50


class BatchLine(NamedTuple):
    """A request's position in the input file."""

    offset: int
    length: int
    custom_id: str


def read_lines(path: Path, endpoint: str) -> tuple[list[BatchLine], list[dict[str, Any]]]:
    """The requests of an input file, and its errors."""
    lines: list[BatchLine] = []
    errors: list[dict[str, Any]] = []
    known: set[str] = set()
    offset = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            fault, custom_id = _fault_of(raw, endpoint)
            if custom_id in known and not fault:
                fault = ("duplicate_custom_id", f"custom_id {custom_id} stands there twice")
            if fault and len(errors) < _TOLD:
                code, message = fault
                errors.append({"code": code, "line": number, "message": message, "param": None})
            known.add(custom_id)
            lines.append(BatchLine(offset, len(raw), custom_id))
            offset += len(raw)
    if not lines:
        errors.append({"code": "empty_file", "line": None, "message": "The file is empty"})
    if len(lines) > MOST:
        text = f"{len(lines)} requests; at most {MOST} are allowed"
        errors.append({"code": "too_many_tasks", "line": None, "message": text})
    return lines, errors


def _fault_of(raw: bytes, endpoint: str) -> tuple[tuple[str, str] | None, str]:
    try:
        value = loads(raw)
    except ValueError:
        return ("invalid_json_line", "This line is not parseable as valid JSON."), ""
    if not isinstance(value, dict) or not isinstance(value.get("custom_id"), str):
        return ("missing_required_parameter", "custom_id is missing."), ""
    if value.get("method") != "POST" or value.get("url") != endpoint:
        return ("invalid_url", f"method and url must be POST {endpoint}"), value["custom_id"]
    if not isinstance(value.get("body"), dict):
        return ("missing_required_parameter", "body is missing."), value["custom_id"]
    return None, value["custom_id"]


class LineWriter:
    """Answers lines and writes each to the output or the error file."""

    def __init__(self, source: Path, output: Path, errors: Path) -> None:
        self._source = source.open("rb")
        self._output = output.open("wb")
        self._errors = errors.open("wb")
        self.completed = self.failed = 0

    def __enter__(self) -> LineWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in (self._source, self._output, self._errors):
            file.close()

    def answer(self, line: BatchLine, chat: ChatDesk) -> None:
        """Answer a line, as the script says."""
        self._source.seek(line.offset)
        body = loads(self._source.read(line.length))["body"]
        reply, rule = chat.reply("line", body, custom_id=line.custom_id)
        fault = rule.do if rule else None
        if fault is ScriptedFault.LINE_MISSING:
            return
        if fault is ScriptedFault.LINE_EXPIRED:
            self.expire(line)
            return
        try:
            said = loads(reply.body)
        except ValueError:
            said = {}
        if reply.cut_at is not None:
            self._fail(line, None, {"code": "server_error", "message": "Internal error"})
            return
        response = {
            "status_code": reply.status,
            "request_id": f"req_{line.custom_id[:16]}",
            "body": said,
        }
        if reply.status != 200:
            self._fail(line, response, None)
            return
        self.completed += 1
        written = _line(line.custom_id, response, None)
        if fault is ScriptedFault.LINE_GARBLED:
            written = written[: len(written) // 2] + b"\n"
        self._output.write(written)
        if fault is ScriptedFault.LINE_TWICE:
            self._output.write(written)
        if fault is ScriptedFault.LINE_FOREIGN:
            self._output.write(_line("nobody-asked", response, None))

    def expire(self, line: BatchLine) -> None:
        """Record that the batch expired before this line's turn."""
        message = "This request could not be executed before the completion window expired."
        self._fail(line, None, {"code": "batch_expired", "message": message})

    def _fail(self, line: BatchLine, response: Any, error: Any) -> None:
        self.failed += 1
        self._errors.write(_line(line.custom_id, response, error))


def _line(custom_id: str, response: Any, error: Any) -> bytes:
    value = {
        "id": f"batch_req_{custom_id[:16]}",
        "custom_id": custom_id,
        "response": response,
        "error": error,
    }
    return json.dumps(value).encode() + b"\n"
