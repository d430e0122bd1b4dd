"""The real ``pixel`` with its real stages, as processes on stores of their own.

The cold run of ``smoke`` is the costly part, so a session makes it once for all its processes
(``smoke``); a test that breaks something works on a copy that has everything but the stages it
is about.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from living_processes import living
from preloaded import Program
from typer.testing import CliRunner, Result

from flows.cli.main import app
from flows.cli.prefect_server import LocalServer
from pixel_core.workflow.store import Artifact, Store

PIXEL = Path(sys.executable).with_name("pixel")
#: Generous: other work may share the machine.
LIMIT_S = 240.0


@dataclass
class RealPixel:
    """Runs ``pixel`` on one store, each process in a session (and group) of its own."""

    store: str
    environment: dict[str, str] = field(default_factory=dict)
    #: The installed program itself, and not a fork that has imported everything before.
    installed: bool = False
    started: list[Any] = field(default_factory=list)

    def start(self, *arguments: str) -> Any:
        environment = {**os.environ, "PIXEL_STORE": self.store, **self.environment}
        process: Any
        if self.installed:
            process = subprocess.Popen(
                [str(PIXEL), *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
                start_new_session=True,
            )
        else:
            process = Program(None, arguments, environment, new_session=True)
        self.started.append(process)
        return process

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return ended(self.start(*arguments))

    def here(self, *arguments: str) -> Result:
        """A command that runs no stage, without a process of its own."""
        result = CliRunner().invoke(app, [*arguments, "--store", self.store])
        assert result.exit_code == 0, result.output
        return result

    def run(self, *arguments: str) -> str:
        """``pixel run`` of the smoke profile to its end; what it printed."""
        finished = self("run", "--profile", "smoke", *arguments)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        assert "Traceback" not in finished.stderr
        return finished.stdout

    def artifact(self, stage: str) -> Artifact:
        found = Store.open(self.store).latest(stage)
        assert found is not None, f"{stage} was never made in {self.store}"
        return found

    def weights(self, stage: str) -> str:
        """The SHA-256 of the stage's ``model.safetensors``."""
        return next(
            entry.sha256
            for entry in self.artifact(stage).manifest.files
            if entry.path == "model/model.safetensors"
        )

    def forget(self, *stages: str) -> None:
        for stage in stages:
            shutil.rmtree(Path(self.store) / "artifacts" / stage)

    def wait_for_checkpoint(self, stage: str, process: Any) -> int:
        """Until the stage has saved a training step; returns the step."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
            saved = Path(self.store).glob(f"work/{stage}/*/*/{stage}-step-??????")
            steps = [int(path.name.rpartition("-")[2]) for path in saved]
            if steps:
                return max(steps)
            time.sleep(0.005)
        raise AssertionError(f"{stage} saved no checkpoint in {LIMIT_S:.0f} s")

    def end_all(self) -> None:
        """Nothing that a failed test started may go on."""
        for process in self.started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def ended(process: Any) -> subprocess.CompletedProcess[str]:
    """Wait for the process; its exit code and all it said."""
    out, err = process.communicate(timeout=LIMIT_S)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def statuses(output: str) -> dict[str, str]:
    """What a run's output says became of each stage: ``built`` or ``reused``."""
    lines = (line.split() for line in output.splitlines() if not line.startswith(" "))
    return {words[0]: words[1] for words in lines if words[1:2] in (["built"], ["reused"])}


def members(session: int) -> list[str]:
    """The living processes of a session (those a run started, itself included)."""
    return [
        f"{process.number}: {process.command}"
        for process in living()
        if process.session == session
    ]


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[LocalServer]:
    """One server for many runs: starting a private one costs seconds."""
    server = LocalServer()
    try:
        server.wait_until_healthy()
        yield server
    finally:
        server.stop()


@dataclass
class SmokeRun:
    """The one cold run: a store that has its artifacts, and what it printed.

    ``place``: the store it ran on, of whichever process of the session made it.
    """

    pixel: RealPixel
    output: str
    place: str


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmokeRun]:
    """A whole cold run by two workers and with a private Prefect server.

    Its store is shared by the tests of this process: read it, run what reuses everything, or
    copy it (``copy_of_smoke``).
    """
    # The one run that imports what it needs in the order it does for a user.
    pixel = RealPixel(str(tmp_path_factory.mktemp("smoke") / "store"), installed=True)
    session = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        session = session.parent
    try:
        with (session / "smoke.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            told = _made_once(pixel, session / "smoke-made")
        yield SmokeRun(pixel, **told)
    finally:
        pixel.end_all()


def _made_once(pixel: RealPixel, made: Path) -> dict[str, Any]:
    """Fill the store of ``pixel`` by a cold run, or from what another process made by one."""
    told = made / "told.json"
    if told.exists():
        shutil.copytree(made / "store", pixel.store)
        return json.loads(told.read_text())
    output = pixel.run("--set", "runtime.workers=2")
    facts = {"output": output, "place": pixel.store}
    shutil.copytree(pixel.store, made / "store")
    told.write_text(json.dumps(facts))
    return facts


@pytest.fixture
def real_pixel(prefect_server: LocalServer) -> Iterator[Callable[..., RealPixel]]:
    """Makes a ``RealPixel`` on a store address, with more environment if needed."""
    made: list[RealPixel] = []

    def make(store: str | Path, **environment: str) -> RealPixel:
        reports_to = {"PREFECT_API_URL": prefect_server.api_url}
        made.append(RealPixel(str(store), reports_to | environment))
        return made[-1]

    yield make
    for pixel in made:
        pixel.end_all()


@pytest.fixture
def copy_of_smoke(
    smoke: SmokeRun, real_pixel: Callable[..., RealPixel], tmp_path: Path
) -> RealPixel:
    """``pixel`` on a copy of the store of the cold run."""
    shutil.copytree(smoke.pixel.store, tmp_path / "store")
    return real_pixel(tmp_path / "store")
