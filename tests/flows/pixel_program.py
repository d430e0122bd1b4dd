"""Starting ``pixel`` as a person does: in a process of its own, with real Prefect."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from preloaded import Program
from typer.testing import CliRunner, Result

from flows.cli.main import app

SCRIPT = Path(__file__).with_name("tiny_pixel.py")


@dataclass
class Pixel:
    """Runs ``tiny_pixel.py``, or another program like it, on one store."""

    store: Path
    environment: dict[str, str] = field(default_factory=dict)
    script: Path = SCRIPT

    def start(self, *arguments: str, **environment: str) -> Program:
        return Program(
            self.script,
            arguments,
            {
                **os.environ,
                "PIXEL_STORE": str(self.store),
                **self.environment,
                **environment,
            },
        )

    def here(self, *arguments: str) -> Result:
        """A command that runs no stage and needs no other table, without a process."""
        return CliRunner().invoke(app, [*arguments, "--store", str(self.store)])

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)
