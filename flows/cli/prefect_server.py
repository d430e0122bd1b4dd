"""Prefect servers on this machine: a private one for a run, or one whose page is opened."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from types import ModuleType

from flows.kept_server import HOST, KeptServer, answers, identity, kept_seconds, take
from pixel_core.errors import ConfigError, PixelError

#: A cold start on a busy machine was seen to take over half a minute.
START_TIMEOUT_S = 120.0
#: How long the end of a run may wait for its last states to be written.
DELIVERY_S = 5.0


class ServerError(PixelError):
    """A Prefect server did not start, or the configured one does not answer."""


def quiet_environment() -> None:
    """No telemetry. Must run before Prefect is imported; the user's own values win."""
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")


class LocalServer:
    """A Prefect server in a child process, on the loopback interface only.

    It keeps its runs in Prefect's usual database (``PREFECT_HOME``), so a page that is
    opened later shows earlier runs. ``port`` 0 takes any free one. With ``page`` it serves
    the UI and the scheduling services; without, only what a run needs.
    Raises ``ConfigError`` when the port is in use.
    """

    def __init__(self, port: int = 0, *, page: bool = False) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            listener.close()
            raise ConfigError(
                f"port {port} can't be opened on {HOST}: {error.strerror}. "
                "Choose another with --port, or stop what uses it"
            ) from error
        listener.listen(128)
        self._identity = identity()
        self.port: int = listener.getsockname()[1]
        environment = {
            **os.environ,
            "PREFECT_SERVER_UI_ENABLED": "true" if page else "false",
            "PREFECT_SERVER_UI_API_URL": self.api_url,
        }
        # The server's own clients must not be sent to the address runs are told to use.
        environment.pop("PREFECT_API_URL", None)
        if not page:
            environment["PREFECT__SERVER_EPHEMERAL"] = "1"
            # Types of blocks are for the page; a server that has one registers them. The memo
            # would say that it was done.
            environment.setdefault("PREFECT_API_BLOCKS_REGISTER_ON_START", "false")
            environment.setdefault("PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION", "false")
        with listener:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flows.cli.server_process", str(listener.fileno())],
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                env=environment,
                # Ctrl-C in the terminal must not reach it before the run has told it
                # how it ended.
                start_new_session=True,
            )

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def api_url(self) -> str:
        return f"{self.url}/api"

    def wait_until_healthy(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return once it answers; ``ServerError`` when it ended or took too long."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(
                    f"the Prefect server ended with code {self._process.returncode} before "
                    "it was ready; its own message is above"
                )
            # The socket listens from the first, so the question waits for the answer.
            if answers(self.port, timeout_s=1.0):
                return
            time.sleep(0.02)
        raise ServerError(
            f"the Prefect server did not answer at {self.api_url} within {timeout_s:.0f} s; "
            "try again when the machine is less busy"
        )

    def wait(self) -> int:
        """Block until the server ends by itself; returns its exit code."""
        return self._process.wait()

    def keep(self, seconds: int) -> None:
        """Leave it running for the next run; it ends ``seconds`` after nobody uses it."""
        told = self._process.stdin
        if not seconds or told is None or self._process.poll() is not None:
            self.stop()
            return
        try:
            told.write(f"{seconds} {self._identity}".encode())
            told.close()
        except OSError:
            self.stop()  # it ended by itself

    def stop(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


Server = LocalServer | KeptServer


@contextmanager
def private_server() -> Iterator[Server | None]:
    """A private server for a run, started at once and perhaps not ready yet: the run has much
    to read and to check meanwhile. One that an earlier run left is taken instead.

    None where the environment names the user's own server. When the block ends well the server
    is kept for the next run, else it ends.
    """
    if os.environ.get("PREFECT_API_URL"):
        yield None
        return
    quiet_environment()
    seconds = kept_seconds()
    server: Server = (take() if seconds else None) or LocalServer()
    try:
        yield server
    except BaseException:
        server.stop()
        raise
    server.keep(seconds)


@contextmanager
def server_for_runs(private: Server | None) -> Iterator[Server | None]:
    """The server that flow runs report to, for as long as the block lasts.

    Yields None when the user configured one (``PREFECT_API_URL`` or a Prefect profile),
    after checking that it answers. Else ``private``, which may still be starting: call
    ``wait_until_healthy`` before the first flow.
    """
    quiet_environment()
    from prefect.context import refresh_global_settings_context
    from prefect.settings import get_current_settings

    configured = get_current_settings().api.url
    if configured is not None:
        if not _answers(configured, timeout_s=10.0):
            raise ServerError(
                f"no Prefect server answers at {configured} (PREFECT_API_URL). Start it "
                "(pixel ui), or unset PREFECT_API_URL to run with a private one"
            )
        if private is not None:
            private.stop()
        yield None
        return
    if private is None:
        raise ServerError("PREFECT_API_URL was unset while the run began; start it again")
    os.environ["PREFECT_API_URL"] = private.api_url
    refresh_global_settings_context()
    try:
        yield private
    finally:
        _deliver()
        del os.environ["PREFECT_API_URL"]
        refresh_global_settings_context()


def _deliver() -> None:
    """Wait until states and log lines that are still under way have reached the server."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=DELIVERY_S)
    EventsWorker.drain_all(timeout=DELIVERY_S)


def _answers(api_url: str, timeout_s: float) -> bool:
    import httpx  # not before: a server is started first of all

    try:
        return httpx.get(f"{api_url}/health", timeout=timeout_s).status_code == 200
    except httpx.HTTPError:
        return False


# A flow started from a command line: a server to report to, and a quiet log.


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
