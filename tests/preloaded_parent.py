"""The process whose forks are the programs of ``preloaded``."""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from pathlib import Path
from typing import Any

#: What the programs would import by and by.
WANTED = (
    "flows.cli.main",
    "flows.cli.run",
    "flows.cli.evaluate",
    "flows.cli.study",
    "flows.cli.prefect_server",
    "flows.pipeline",
    "flows.evaluate",
    "flows.study",
    "prefect.events.worker",
    "fastapi.encoders",
)
#: And the real stages.
STAGES = (
    "pixel_core.training.stages",
    "pixel_core.evaluation.held_out",
    "pixel_core.report.report",
    "transformers.tokenization_utils_tokenizers",
)


def main() -> None:
    """Fork when asked, tell how each fork ended, end when the tests' process has."""
    gc.disable()
    if len(sys.argv) > 2:
        script = Path(sys.argv[2])
        sys.path.insert(0, str(script.parent))
        importlib.import_module(script.stem).install()  # before others read the table
    for name in WANTED if len(sys.argv) > 2 else (*WANTED, *STAGES):
        importlib.import_module(name)
    gc.freeze()
    threads = len(os.listdir("/proc/self/task"))
    assert threads == 1, f"a fork would lack {threads - 1} threads"
    listener = socket.socket(fileno=int(sys.argv[1]))
    watched = selectors.DefaultSelector()
    watched.register(listener, selectors.EVENT_READ)
    watched.register(sys.stdin, selectors.EVENT_READ)
    while True:
        for key, _ in watched.select():
            if key.fileobj is sys.stdin:
                return
            if key.fileobj is listener:
                connection, _ = listener.accept()
                wanted, pipes = _request(connection)
                pid = os.fork()
                if pid == 0:
                    watched.close()
                    listener.close()
                    connection.close()
                    _become(wanted, pipes)
                    return
                for pipe in pipes:
                    os.close(pipe)
                connection.sendall(f"{pid}\n".encode())
                watched.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, connection))
                continue
            pid, connection = key.data
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            watched.unregister(key.fileobj)
            os.close(key.fd)
            with connection:
                connection.sendall(f"{status}\n".encode())


def _request(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    _, pipes, _, _ = socket.recv_fds(connection, 1, 2)
    with connection.makefile("rb") as lines:
        return json.loads(lines.readline()), list(pipes)


def _become(wanted: dict[str, Any], pipes: list[int]) -> None:
    """In the fork: be the program that was asked for."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for end, stream in ((nothing, 0), (pipes[0], 1), (pipes[1], 2)):
        os.dup2(end, stream)
        os.close(end)
    if wanted["new_session"]:
        os.setsid()
    os.environ.clear()
    os.environ.update(wanted["environment"])
    os.chdir(wanted["folder"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.enable()

    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    sys.argv = wanted["arguments"]
    importlib.import_module("flows.cli.main").main()


if __name__ == "__main__":
    main()
