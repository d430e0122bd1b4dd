"""The process that trains: started, followed to its end, and ended when we are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pixel_core
from pixel_core.errors import StageFailed
from pixel_core.training.openrlhf.log_tail import Tail, last_lines
from pixel_core.workflow.store.manifest import without_credentials

_POLL_S = 0.5
#: Seconds that the process may take to end when asked, before it is killed.
_GRACE_S = 30.0

#: ``-P``: modules are not looked for in the working folder, which others may write to.
LAUNCH = (sys.executable, "-P", "-m", "pixel_core.training.openrlhf.launch")


def run_to_end(
    arguments: Sequence[str],
    log: Path,
    heard: Callable[[str], None],
    recalled: Callable[[list[str]], None],
    timeout_s: float,
    *,
    program: Sequence[str] = LAUNCH,
) -> None:
    """Run OpenRLHF; ``heard`` gets each line that it adds to ``log``, and before that
    ``recalled`` the lines of earlier starts.

    The log is its standard output. Its errors go to a file of their own beside it: two
    streams in one file would cut each other's lines. Raises ``StageFailed`` with the last
    lines if it fails or takes longer than ``timeout_s``, and whatever ``heard`` raises. In
    any case, an interrupt included, it has ended when this returns.
    """
    errors = log.with_suffix(".errors.txt")
    tail = Tail(log)
    recalled(tail.lines())
    deadline = time.monotonic() + timeout_s
    with log.open("ab") as out, errors.open("ab") as err:
        process = subprocess.Popen(
            [*program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=log.parent,
            env=environment(),
        )
    try:
        while True:
            code = process.poll()
            for line in tail.lines():
                heard(line)
            if code is not None:
                break
            if time.monotonic() > deadline:
                raise StageFailed(
                    f"OpenRLHF did not end within rl.openrlhf.timeout_h ({timeout_s / 3600:g} "
                    f"hours); {log} says how far it is. Run again to go on from its last "
                    "checkpoint"
                )
            time.sleep(_POLL_S)
    finally:
        tail.close()
        _end(process)
    if code:
        raise StageFailed(_why(code, log, errors))


def environment() -> dict[str, str]:
    """Ours, in which the processes of Ray find this package, and print whole lines."""
    package = str(Path(pixel_core.__file__).parents[1])
    path = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONUNBUFFERED": "1",
        # Ray would leave out a line that resembles another actor's.
        "RAY_DEDUP_LOGS": "0",
        # It sets three variables for its actors from this environment, which a job's own
        # runtime environment may set to the same: Ray would call that a conflict.
        "RAY_OVERRIDE_JOB_RUNTIME_ENV": "1",
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_S)
        return
    process.kill()
    process.wait()


def _why(code: int, log: Path, errors: Path) -> str:
    how = (
        f"ended with code {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
    )
    said = last_lines(errors) or last_lines(log) or "it said nothing"
    return without_credentials(
        f"OpenRLHF {how}. The last it said ({errors.name} and {log.name} in {log.parent} have "
        f"the rest):\n{said}"
    )
