"""A Prefect server in a process of its own: ``python -m flows.cli.server_process FD``.

FD is a listening socket that the parent opened, so no other program can take the port in
between. The server ends when its standard input closes, and the kernel closes that even
when the parent is killed: no server is left behind by a run that was cut short. A run that
ended well may tell it there to stay for a while; see ``kept_server``.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import threading

from flows.kept_server import prefect_home, stay
from flows.new_database import settle
from pixel_core.garbage import garbage_kept


def _end_with_parent(listener: socket.socket) -> None:
    said = sys.stdin.buffer.read().split()
    if said:
        # A reader of the run's output must not wait for the server's end.
        with open(os.devnull, "r+b") as nothing:
            for stream in (0, 1, 2):
                os.dup2(nothing.fileno(), stream)
        stay(int(said[0]), listener.getsockname()[1], said[1].decode())
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    # First of all: until the server has started, it ends in a moment.
    threading.Thread(target=_end_with_parent, args=(listener,), daemon=True).start()

    with garbage_kept():  # collections are a tenth of what the imports take
        settle()

        import uvicorn
        from prefect.server.api.server import create_app

    class OneAtATimeServer(uvicorn.Server):
        """Starts under a lock: two servers that migrate one new database break each other."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            home = prefect_home()
            home.mkdir(parents=True, exist_ok=True)
            # The kernel drops the lock with the process, so a killed server blocks nobody.
            with (home / "starting.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                await super().startup(sockets=sockets)

    config = uvicorn.Config(
        create_app,
        factory=True,
        log_level="error",
        lifespan="on",
        timeout_graceful_shutdown=2,
    )
    OneAtATimeServer(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
