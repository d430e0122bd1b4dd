"""Starting ``pixel`` as a person does: in a process of its own, with real Prefect."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pixel_program import Pixel

from flows.cli.prefect_server import LocalServer


@pytest.fixture(scope="session")
def page(prefect_server: LocalServer) -> LocalServer:
    """The server whose API says what Prefect's page would show."""
    return prefect_server


@pytest.fixture
def pixel(tmp_path: Path, page: LocalServer) -> Pixel:
    """Reports to the session's server."""
    return Pixel(tmp_path / "store", {"PREFECT_API_URL": page.api_url})


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory, page: LocalServer) -> Pixel:
    pixel = Pixel(tmp_path_factory.mktemp("made") / "store", {"PREFECT_API_URL": page.api_url})
    ended = pixel("run")
    assert ended.returncode == 0, ended.stderr
    return pixel


@pytest.fixture
def made(pixel: Pixel, _made: Pixel) -> Pixel:
    """Like ``pixel``, on a copy of a store where a whole run ended."""
    shutil.copytree(_made.store, pixel.store)
    return pixel


@pytest.fixture
def lone_pixel(tmp_path: Path) -> Pixel:
    """Starts a private server, as on a machine where none was configured."""
    return Pixel(tmp_path / "store")
