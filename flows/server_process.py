"""A Prefect server in a process of its own: ``python -m flows.server_process FD``.

FD is a listening socket that the parent opened, so no other program can take the port in
between. The server ends when its standard input closes, and the kernel closes that even
when the parent is killed: no server is left behind.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import uvicorn


class OneAtATimeServer(uvicorn.Server):
    """Starts under a lock: two servers that migrate one new database break each other."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
        home.mkdir(parents=True, exist_ok=True)
        # The kernel drops the lock with the process, so a killed server blocks nobody.
        with (home / "starting.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            await super().startup(sockets=sockets)


def _end_with_parent() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    config = uvicorn.Config(
        "prefect.server.api.server:create_app",
        factory=True,
        log_level="error",
        lifespan="on",
        timeout_graceful_shutdown=2,
    )
    OneAtATimeServer(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
