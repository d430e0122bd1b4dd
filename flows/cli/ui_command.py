"""``pixel ui``: a Prefect server with its page, until Ctrl-C."""

from __future__ import annotations

from rich.text import Text

from flows.cli.prefect_server import LocalServer, ServerError, quiet_environment
from flows.consoles import plain_console


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
