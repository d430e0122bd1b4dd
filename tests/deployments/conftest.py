"""A Prefect server that schedules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from operating import IMPATIENT, Operator

from flows.cli.prefect_server import LocalServer


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Of a server with its scheduler and a home of its own."""
    home = str(tmp_path_factory.mktemp("prefect"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", home)
        for name, value in IMPATIENT.items():
            patch.setenv(name, value)
        server = LocalServer(page=True)
    try:
        server.wait_until_healthy(300)
        environment = {"PREFECT_API_URL": server.api_url, "PREFECT_HOME": home}
        yield Operator(server.api_url, environment)
    finally:
        server.stop()
