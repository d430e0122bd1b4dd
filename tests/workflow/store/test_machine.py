"""What a manifest says of the machine agrees with what torch decides there."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.workflow.store.environment import environment
from pixel_core.workflow.store.machine import instruction_set, limits, machine

AVX2 = ["avx2", "fma", "sse"]
AVX512 = [*AVX2, "avx512f", "avx512vl", "avx512bw", "avx512dq"]


@pytest.mark.parametrize(
    ("flags", "environ", "architecture", "expected"),
    [
        (AVX512, {}, "x86_64", "AVX512"),
        (AVX512[:-1], {}, "x86_64", "AVX2"),  # an early AVX-512 CPU has too little of it
        (AVX2, {}, "AMD64", "AVX2"),
        (["avx2"], {}, "x86_64", "DEFAULT"),  # without fused multiply-add
        (AVX512, {"ATEN_CPU_CAPABILITY": "avx2"}, "x86_64", "AVX2"),
        (AVX2, {"ATEN_CPU_CAPABILITY": "default"}, "x86_64", "DEFAULT"),
        (AVX2, {"ATEN_CPU_CAPABILITY": "AVX512"}, "x86_64", "AVX2"),  # torch ignores it
        ([], {"ATEN_CPU_CAPABILITY": "avx2"}, "aarch64", "aarch64"),
    ],
)
def test_the_instruction_set(flags, environ, architecture, expected) -> None:
    assert instruction_set(flags, environ, architecture) == expected


@given(st.sets(st.sampled_from(AVX512)))
def test_more_of_a_cpu_is_never_less(flags: set[str]) -> None:
    order = ["DEFAULT", "AVX2", "AVX512"]
    found = instruction_set(flags, {}, "x86_64")
    for flag in AVX512:
        more = instruction_set(flags | {flag}, {}, "x86_64")
        assert order.index(more) >= order.index(found)


def test_it_is_what_torch_uses() -> None:
    """What this process was told, and what torch decided in it."""
    import torch

    if platform.machine() == "x86_64":
        assert by_the_rule() == torch.backends.cpu.get_cpu_capability()
    assert machine()["instruction_set"] == by_the_rule()


@pytest.mark.ci
@pytest.mark.parametrize("wanted", ["avx2", "default", "nonsense"])
def test_it_is_what_torch_uses_when_told_to(wanted: str) -> None:
    """In a process of its own each: torch decides once a process, and it is slow to import."""
    code = (
        "from pixel_core.workflow.store.machine import machine\n"
        "before = machine()['instruction_set']\n"
        "import torch\n"
        "print(before, torch.backends.cpu.get_cpu_capability())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"ATEN_CPU_CAPABILITY": wanted},
        capture_output=True,
        text=True,
        check=True,
    )
    before, decided = told.stdout.split()
    assert before == decided or platform.machine() != "x86_64"


def by_the_rule() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return instruction_set(flags.split())


def test_limits_of_the_libraries_below_are_told() -> None:
    environ = {"MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2", "HOME": "/"}
    assert limits(environ) == "ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2"
    assert limits({"ONEDNN_MAX_CPU_ISA": ""}) == ""


def test_a_manifest_has_it() -> None:
    found = environment()
    assert set(machine()) < set(found)
    assert found["cpu"]
    assert found["instruction_set"]
