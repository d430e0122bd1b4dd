"""Other systems than Linux are told in one sentence what is missing, before anything starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("system", ["Darwin", "MINGW64_NT-10.0"])
@pytest.mark.parametrize("target", ["run", "test"])
def test_make_says_that_linux_is_needed(tmp_path: Path, system: str, target: str) -> None:
    uname = tmp_path / "uname"
    uname.write_text(f"#!/bin/sh\necho {system}\n")
    uname.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    # Under `make test` it would speak as a make within a make.
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    ended = subprocess.run(
        ["make", "-n", target],
        cwd=ROOT,
        env={**outside, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert not ended.stdout
    assert len(ended.stderr.splitlines()) == 1
    assert "needs Linux" in ended.stderr


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_pixel_says_that_linux_is_needed(platform: str) -> None:
    program = (
        f"import sys; import flows.cli.main; sys.platform = {platform!r}; "
        "sys.argv = ['pixel', 'run']; flows.cli.main.main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert f"this is {platform}" in ended.stderr
