"""``pixel dev annotator``: an endpoint to annotate drawn scenes with, without a key."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.text import Text

from flows.cli.prefect_server import LocalServer, ServerError, quiet_environment
from flows.consoles import plain_console
from pixel_core.dev.annotator import AnnotatorServer, Script
from pixel_core.dev.annotator.script import read_script
from pixel_core.errors import ConfigError

# ``pixel ui``: a Prefect server with its page, until Ctrl-C.


def serve_page(port: int) -> None:
    """Start, say how runs report to it, and wait. Raises ``ConfigError`` for a taken port."""
    quiet_environment()
    console = plain_console()
    server = LocalServer(port, page=True)
    try:
        console.print("starting Prefect ...")
        server.wait_until_healthy()
        console.print(
            Text(
                f"The page: {server.url}\n"
                "Runs show up there when they end; to follow them live, start them with\n"
                f"    export PREFECT_API_URL={server.api_url}\n"
                "Ctrl-C stops the page; runs and artifacts stay."
            ),
            soft_wrap=True,
        )
        code = server.wait()
        raise ServerError(f"the Prefect server ended by itself with code {code}")
    finally:
        server.stop()


#: Enough seeds to see every outcome, few enough to wait for.
_SEEDS = 60
#: Pixels of the whole picture at the second look: small digits can't be read any more.
_WHOLE_PIXELS = 112 * 112
_TELL_EVERY_S = 5.0

_WHAT = """\
The annotator listens at {url}
It is not a model: it finds the coloured cards of the drawn world and reads their digits, and
says "not valid" to every other picture. It costs nothing; the prices shown are gpt-4o's.
In another terminal:

    {run}

Add --set annotate.openai.mode=batch to annotate in batches. Ctrl-C ends the annotator."""


def serve_annotator(
    port: int, wrong_rate: float, latency_s: float, batch_s: float, script: Path | None
) -> None:
    """Serve until Ctrl-C. Raises ``ConfigError`` for a taken port or a bad script."""
    console = plain_console()
    rules = Script() if script is None else read_script(script)
    with _listening(port, wrong_rate, latency_s, batch_s, rules) as server:
        console.print(
            Text(_WHAT.format(url=server.url, run=run_line(server.url))), soft_wrap=True
        )
        told = 0
        try:
            while True:
                time.sleep(_TELL_EVERY_S)
                entries = server.journal.count("chat") + server.journal.count("line")
                if entries > told:
                    told = entries
                    console.print(f"{told} requests answered")
        except KeyboardInterrupt:
            console.print(Text(f"ended; {_answered(server)}"))
            raise


def run_line(url: str) -> str:
    """The command that annotates drawn scenes with the endpoint at ``url``."""
    settings = {
        "ingest.drawn.train": str(_SEEDS),
        "annotate.by": "openai",
        "annotate.openai.base_url": url,
        "annotate.openai.verify.whole_pixels": str(_WHOLE_PIXELS),
    }
    words = ["pixel", "run", "--until", "annotate"]
    for name, value in settings.items():
        words += ["--set", f"{name}={value}"]
    return f"OPENAI_API_KEY=none {shlex.join(words)}"


@contextmanager
def _listening(
    port: int, wrong_rate: float, latency_s: float, batch_s: float, rules: Script
) -> Iterator[AnnotatorServer]:
    try:
        server = AnnotatorServer(
            port=port,
            wrong_rate=wrong_rate,
            latency_s=latency_s,
            batch_s=batch_s,
            script=rules,
        )
    except OSError as error:
        raise ConfigError(
            f"port {port} can't be listened on: {error.strerror}; give another with --port"
        ) from None
    with server:
        yield server


def _answered(server: AnnotatorServer) -> str:
    counts = server.journal.summary()["status"]
    parts = [f"{count} x {status}" for status, count in sorted(counts.items())]
    return ", ".join(parts) or "nothing was asked"
