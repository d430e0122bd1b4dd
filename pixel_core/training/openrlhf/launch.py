"""OpenRLHF's own program, started so that it does not outlive who started it.

    python -m pixel_core.training.openrlhf.launch --actor.model_name_or_path ...

A stage that is killed outright cannot end its child; the kernel does it then. With the
program's end Ray ends its actors.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

PROGRAM = "openrlhf.cli.train_ppo_ray"
#: Of <linux/prctl.h>: the signal that this process gets when its parent ends.
_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """On Linux; elsewhere nothing (OpenRLHF runs on nothing else)."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before it was asked for
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    end_with_parent()
    runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)
