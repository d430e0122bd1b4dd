"""What a worker frees, it gets again without a page fault."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.ci

PROGRAM = """
import resource, sys
import torch
from pixel_core.workflow.parallel.memory import keep_freed_memory

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
    # glibc moves the limit above which it maps a buffer, by what was freed first; this is where
    # it begins, and what is set like that stays.
    fixed = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(128 << 10)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=fixed)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_buffers_of_a_step_are_kept_for_the_next() -> None:
    assert 10 * faults("kept") < faults("as it is")
