"""A flow started from a command line: a server to report to, and a quiet log."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from types import ModuleType

from flows.cli.prefect_server import Server, private_server, server_for_runs


@contextmanager
def reporting(
    recipe: str, private: Server | None = None, *, verbose: bool
) -> Iterator[ModuleType]:
    """The recipe's module, whose flow reports to the user's Prefect server or to ``private``
    (None: one is started now).

    It is imported while a private server starts. ``verbose`` shows Prefect's own log.
    """
    os.environ.setdefault(
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "NOTSET" if verbose else "WARNING"
    )
    with (
        nullcontext(private) if private else private_server() as begun,
        server_for_runs(begun) as server,
    ):
        module = import_module(recipe)
        if server is not None:
            server.wait_until_healthy()
        for runs in ("prefect.flow_runs", "prefect.task_runs"):
            # How runs end is told by the terminal and by the error itself; the page has
            # these lines all the same.
            logging.getLogger(runs).propagate = verbose
        yield module
