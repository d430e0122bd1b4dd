"""Programs of the tests that start in a moment: forks of one that has imported everything.

What ``pixel`` imports takes seconds of a processor's time, and the tests start it hundreds of
times. Here one process imports it and does no more (``preloaded_parent``); each program is a
fork of that, with an environment, arguments, a session and pipes of its own. It is a process
like any other: it can be killed, interrupted and waited for.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

PARENT = Path(__file__).with_name("preloaded_parent.py")


class Program:
    """As ``subprocess.Popen`` of ``pixel`` with these arguments, both outputs piped as text.

    ``table``: a file beside the tests whose ``install`` puts other stages into the table.
    """

    def __init__(
        self,
        table: Path | None,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        new_session: bool = False,
    ) -> None:
        self.args = [str(table or "pixel"), *arguments]
        self.returncode: int | None = None
        request = {
            "arguments": self.args,
            "environment": dict(environment),
            "folder": os.getcwd(),
            "new_session": new_session,
        }
        ends = [os.pipe() for _ in range(2)]
        self._told = socket.socket(socket.AF_UNIX)
        self._told.connect(_parent(table))
        socket.send_fds(self._told, [b"."], [write for _, write in ends])
        self._told.sendall(json.dumps(request).encode() + b"\n")
        for _, write in ends:
            os.close(write)
        self._answers = self._told.makefile("r")
        self.pid = int(self._answers.readline())
        self.stdout, self.stderr = (os.fdopen(read) for read, _ in ends)
        self._said: dict[Any, str] = {}
        self._readers: list[threading.Thread] = []
        self._ended = threading.Thread(target=self._wait_for_it, daemon=True)
        self._ended.start()

    def _read(self, stream: Any) -> None:
        with stream:
            self._said[stream] = stream.read()

    def _wait_for_it(self) -> None:
        with self._told, self._answers:
            self.returncode = int(self._answers.readline())

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._join([self._ended], timeout)
        assert self.returncode is not None, "the process that forks programs has ended"
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        both = self.stdout, self.stderr
        if not self._readers:
            self._readers = [
                threading.Thread(target=self._read, args=(stream,), daemon=True)
                for stream in both
                if not stream.closed
            ]
            for thread in self._readers:
                thread.start()
        self._join([*self._readers, self._ended], timeout)
        out, err = (self._said.get(stream, "") for stream in both)
        return out, err

    def _join(self, threads: list[threading.Thread], timeout: float | None) -> None:
        for thread in threads:
            thread.join(timeout)
            if thread.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


@functools.cache
def _parent(table: Path | None) -> str:
    """The address of the one for this table; it ends with this process."""
    address = str(Path(tempfile.mkdtemp(prefix="pixel-"), "programs"))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(16)
    process = subprocess.Popen(
        [sys.executable, str(PARENT), str(listener.fileno()), *([str(table)] if table else [])],
        pass_fds=[listener.fileno()],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    listener.close()

    def end() -> None:
        process.kill()
        process.wait()

    atexit.register(end)
    return address
