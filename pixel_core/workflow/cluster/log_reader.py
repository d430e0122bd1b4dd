"""A thread that reads a job's log and connects again when the connection drops."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

from pixel_core.errors import ClusterError
from pixel_core.workflow.cluster.jobs_api import JobsApi, LogStream

#: Lines of the log that are fetched when a job is met that runs already, or again after the
#: connection dropped: its last words, and never an hour of them.
TAIL_LINES = 100
_ALL = -1
_PAUSE_S = 1.0


@dataclass(frozen=True)
class Connected:
    """What comes next starts at a line; ``again``: and may have come before."""

    again: bool


@dataclass(frozen=True)
class Refused:
    """The log cannot be had; the reader goes on trying."""

    why: str


class LogReader:
    """Started once the job's node is known; used as a context manager."""

    def __init__(self, api: JobsApi, job_id: str, *, whole: bool) -> None:
        self._api = api
        self._job_id = job_id
        self._whole = whole
        self._node: str | None = None
        self._found: queue.SimpleQueue[bytes | Connected | Refused] = queue.SimpleQueue()
        self._stream: LogStream | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"log of {job_id}", daemon=True)

    def __enter__(self) -> LogReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self.reconnect()
        if self._node is not None:
            # No longer than this: it may be connecting to what does not answer.
            self._thread.join(2 * _PAUSE_S)

    def start(self, node: str) -> None:
        """Read the log from the node the job runs on; once is enough."""
        if self._node is None:
            self._node = node
            self._thread.start()

    def reconnect(self) -> None:
        """Give up a connection that may be dead without anybody having said so."""
        stream = self._stream
        if stream is not None:
            stream.wake()

    def ready(self, wait_s: float) -> Iterator[bytes | Connected | Refused]:
        """What has come; waits for the first of it no longer than ``wait_s``."""
        timeout: float | None = wait_s
        while True:
            try:
                yield self._found.get(timeout=timeout) if timeout else self._found.get_nowait()
            except queue.Empty:
                return
            timeout = None

    def _work(self) -> None:
        assert self._node is not None
        again = False
        while not self._stopping.is_set():
            lines = _ALL if self._whole and not again else TAIL_LINES
            try:
                with self._api.log(self._job_id, self._node, lines) as stream:
                    self._stream = stream
                    self._found.put(Connected(again))
                    again = True
                    for chunk in stream.chunks():
                        self._found.put(chunk)
            except ClusterError as error:
                self._found.put(Refused(str(error)))
            finally:
                self._stream = None
            self._stopping.wait(_PAUSE_S)
