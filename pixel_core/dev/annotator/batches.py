"""The endpoint's batches: one thread each, in progress until its lines are answered."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from itertools import count
from typing import Any

from pixel_core.dev.annotator.batch_lines import BatchLine, LineWriter, read_lines
from pixel_core.dev.annotator.chat import ChatDesk, Manners
from pixel_core.dev.annotator.files import FileShelf, StoredFile
from pixel_core.dev.annotator.http_reply import HttpReply, error_reply, json_reply
from pixel_core.dev.annotator.script import ScriptedFault, ScriptRule
from pixel_core.nesting import loads

_ENDPOINT = "/v1/chat/completions"
_ENDED = ("failed", "completed", "expired", "cancelled")
#: Polling interval in seconds while a batch is made to last.
_NAP_S = 0.01


class BatchDesk:
    """Batches by id. Thread-safe."""

    def __init__(self, manners: Manners, chat: ChatDesk, files: FileShelf) -> None:
        self._manners = manners
        self._chat = chat
        self._files = files
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._batches: dict[str, dict[str, Any]] = {}
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._hurrying = threading.Event()

    def create(self, body: bytes, rule: ScriptRule | None) -> HttpReply:
        """The response to ``POST /v1/batches``."""
        try:
            asked = loads(body)
        except ValueError:
            asked = None
        if not isinstance(asked, dict) or asked.get("endpoint") != _ENDPOINT:
            return error_reply(400, f"endpoint must be {_ENDPOINT}")
        if asked.get("completion_window") != "24h":
            return error_reply(400, "completion_window must be 24h")
        metadata = asked.get("metadata") or {}
        if fault := _fault_of(metadata):
            return error_reply(400, fault)
        file = self._files.get(str(asked.get("input_file_id")))
        if file is None:
            return error_reply(400, f"No such File object: {asked.get('input_file_id')}")
        with self._lock:
            number = next(self._numbers)
            batch: dict[str, Any] = {
                "id": f"batch_{number:06d}",
                "object": "batch",
                "endpoint": _ENDPOINT,
                "errors": None,
                "input_file_id": file.id,
                "completion_window": "24h",
                "status": "validating",
                "output_file_id": None,
                "error_file_id": None,
                "created_at": int(time.time()),
                "expires_at": int(time.time()) + 86_400,
                "request_counts": {"total": 0, "completed": 0, "failed": 0},
                "metadata": metadata,
            }
            self._batches[batch["id"]] = batch
            described = dict(batch)
        work = threading.Thread(
            target=self._work, args=(batch, file, number, rule), daemon=True
        )
        with self._lock:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._threads.append(work)
        work.start()
        return json_reply(described)

    def describe(self, id: str) -> HttpReply:
        with self._lock:
            batch = self._batches.get(id)
            return json_reply(batch) if batch else _unknown(id)

    def page(self, query: Mapping[str, list[str]]) -> HttpReply:
        """The response to ``GET /v1/batches``, newest first, with ``limit`` and ``after``."""
        limit = (query.get("limit") or ["20"])[0]
        after = (query.get("after") or [""])[0]
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            return error_reply(400, "limit must be from 1 to 100")
        with self._lock:
            ids = sorted(self._batches, reverse=True)
            rest = [id for id in ids if not after or id < after]
            page = [dict(self._batches[id]) for id in rest[: int(limit)]]
        return json_reply(
            {
                "object": "list",
                "data": page,
                "first_id": page[0]["id"] if page else None,
                "last_id": page[-1]["id"] if page else None,
                "has_more": len(rest) > len(page),
            }
        )

    def cancel(self, id: str) -> HttpReply:
        with self._lock:
            batch = self._batches.get(id)
            if batch is None:
                return _unknown(id)
            if batch["status"] in _ENDED:
                return error_reply(409, f"Cannot cancel a batch that is {batch['status']}")
            batch["status"] = "cancelling"
            return json_reply(batch)

    def statuses(self) -> list[str]:
        """The status of every batch, oldest first."""
        with self._lock:
            return [self._batches[id]["status"] for id in sorted(self._batches)]

    def hurry(self) -> None:
        """Let no batch take longer than its lines need."""
        self._hurrying.set()

    def stop(self) -> None:
        """End the batches' threads, leaving the remaining lines unanswered."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _work(
        self, batch: dict[str, Any], file: StoredFile, number: int, rule: ScriptRule | None
    ) -> None:
        lines, errors = read_lines(file.path, _ENDPOINT)
        if rule is not None and rule.do is ScriptedFault.BATCH_FAILED:
            message = rule.content or "the script says so"
            errors = [{"code": rule.code, "line": None, "message": message}]
        if errors:
            self._set(batch, status="failed", errors={"object": "list", "data": errors})
            return
        self._set(batch, status="in_progress", counts=(len(lines), 0, 0))
        # The real service does not guarantee an order either.
        random.Random(f"{self._manners.script.seed}/{number}").shuffle(lines)
        end = time.monotonic() + self._manners.batch_s
        stop_at = len(lines)
        if rule is not None:
            end += rule.seconds
            if rule.do in (ScriptedFault.BATCH_EXPIRED, ScriptedFault.BATCH_CANCELLED):
                stop_at = int(rule.share * len(lines))
        output = self._files.add(f"{batch['id']}_output.jsonl", "batch_output")
        failed = self._files.add(f"{batch['id']}_error.jsonl", "batch_output")
        with LineWriter(file.path, output.path, failed.path) as writer:
            done = self._answer(batch, lines, stop_at, end, writer)
            ending = "cancelled" if batch["status"] == "cancelling" else "completed"
            if rule is not None and rule.do is ScriptedFault.BATCH_CANCELLED:
                ending = "cancelled"
            if rule is not None and rule.do is ScriptedFault.BATCH_EXPIRED:
                ending = "expired"
                for line in lines[done:]:
                    writer.expire(line)
        self._set(
            batch,
            counts=(len(lines), writer.completed, writer.failed),
            output_file_id=output.id if output.path.stat().st_size else None,
            error_file_id=failed.id if failed.path.stat().st_size else None,
            status=ending,
        )

    def _answer(
        self,
        batch: dict[str, Any],
        lines: list[BatchLine],
        stop_at: int,
        end: float,
        writer: LineWriter,
    ) -> int:
        """Answer lines until stopped; return how many were done."""
        for done, line in enumerate(lines[:stop_at]):
            if self._stopping.is_set() or batch["status"] == "cancelling":
                return done
            writer.answer(line, self._chat)
            self._set(batch, counts=(len(lines), writer.completed, writer.failed))
        while (
            time.monotonic() < end
            and not self._hurrying.is_set()
            and batch["status"] != "cancelling"
        ):
            if self._stopping.wait(_NAP_S):
                break
        return stop_at

    def _set(
        self, batch: dict[str, Any], counts: tuple[int, int, int] | None = None, **fields: Any
    ) -> None:
        with self._lock:
            if counts is not None:
                names = ("total", "completed", "failed")
                batch["request_counts"] = dict(zip(names, counts, strict=True))
            batch.update(fields)


def _fault_of(metadata: Any) -> str:
    """The error in a batch's metadata; "" if there is none."""
    if not isinstance(metadata, dict) or len(metadata) > 16:
        return "metadata must be an object with at most 16 pairs"
    for name, value in metadata.items():
        if len(name) > 64 or not isinstance(value, str) or len(value) > 512:
            return f"metadata {name[:64]!r}: a text of at most 512 characters is needed"
    return ""


def _unknown(id: str) -> HttpReply:
    return error_reply(404, f"No batch found with id '{id}'")
