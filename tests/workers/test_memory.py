"""What a worker frees, it gets again without a page fault."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource, sys
import torch
from pixel_core.workers.memory import keep_freed_memory

ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # no huge pages: each would be one fault for many

if sys.argv[1] == "kept":
    keep_freed_memory()

def step():
    # As layers keep them: of many sizes, 190 MB in all.
    buffers = [torch.ones(300_000 + 90_000 * n) for n in range(30)]
    return sum(float(buffer[0]) for buffer in buffers)

step()
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    command = [sys.executable, "-c", PROGRAM, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_buffers_of_a_step_are_kept_for_the_next() -> None:
    assert 10 * faults("kept") < faults("as it is")
