"""Which process this is, in a way another process can check."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class ProcessId(BaseModel):
    """A process among all machines; ``started`` tells it from a later one with its number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str
    #: The boot and process namespace ``pid`` counts in; containers share a host name.
    scope: str
    pid: int
    started: str

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    def is_dead(self) -> bool:
        """True when it surely ended; False when it runs or cannot be seen from here."""
        if (self.host, self.scope) != (socket.gethostname(), _scope()):
            return False
        state, started = _status(self.pid)
        return state in ("", "Z", "X") or started != self.started


def this_process() -> ProcessId:
    pid = os.getpid()
    return ProcessId(
        host=socket.gethostname(), scope=_scope(), pid=pid, started=_status(pid)[1]
    )


@lru_cache
def _scope() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""  # not Linux: one scope a host


def _status(pid: int) -> tuple[str, str]:
    """State letter ("" for no such process) and start time in clock ticks since boot."""
    try:
        # The command's name may hold spaces and parentheses: count from the last one.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], fields[19]
    except OSError:
        if Path("/proc/self").exists():
            return "", ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "", ""
    except PermissionError:
        pass  # it runs, under another user
    return "?", ""
