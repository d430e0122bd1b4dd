"""``--verify`` reaches the store of every command that reuses what is in one."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.evaluate import EvaluateOptions, request_of
from flows.cli.main import app
from pixel_core.workflow.store import Store


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each store that was opened reads all."""
    found: list[bool] = []
    real = Store.open

    def open_store(place: str, *, read_all: bool = False) -> Store:
        found.append(read_all)
        return real(place, read_all=read_all)

    monkeypatch.setattr(Store, "open", open_store)
    return found


@pytest.mark.parametrize("command", [("plan",), ("study", "learning-trap", "--plan")])
@pytest.mark.parametrize("verify", [False, True])
def test_a_plan(
    command: tuple[str, ...], verify: bool, opened: list[bool], tmp_path: Path
) -> None:
    arguments = [*command, "--store", str(tmp_path), *(["--verify"] if verify else [])]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert opened
    assert set(opened) == {verify}


@pytest.mark.parametrize("verify", [False, True])
def test_an_evaluation(verify: bool, opened: list[bool], tmp_path: Path) -> None:
    request = request_of("tiny", (), str(tmp_path), EvaluateOptions(), verify)
    request.open_store(request.config())
    assert opened == [verify]
