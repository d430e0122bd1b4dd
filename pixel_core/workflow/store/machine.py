"""The CPU that artifacts are made on, and the instructions its arithmetic uses.

The same code and seeds round differently on other instructions, and training turns that into
other weights. So every manifest names them.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

#: What torch lets one ask for on x86, and the CPU's flags that it needs of its own accord, the
#: first that fits. As ``compute_cpu_capability`` in PyTorch's ``DispatchStub.cpp`` decides.
_LEVELS = {
    "avx512": {"avx512f", "avx512vl", "avx512bw", "avx512dq", "fma"},
    "avx2": {"avx2", "fma"},
    "default": set(),
}
#: What may hold back the libraries that torch calls for matrices.
_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")


def machine() -> dict[str, str]:
    """``cpu``, its model's name; ``instruction_set``, that of torch's own kernels in this
    environment; ``instruction_limits``, what variables hold oneDNN and MKL to ("": nothing).

    torch is not imported for it: what it would decide follows from the CPU's flags and the
    environment. Where it is there already it is asked.
    """
    about = _cpuinfo()
    return {
        "cpu": about.get("model name") or platform.processor() or platform.machine(),
        "instruction_set": _asked() or instruction_set(about.get("flags", "").split()),
        "instruction_limits": limits(os.environ),
    }


def instruction_set(
    flags: Collection[str],
    environ: Mapping[str, str] = os.environ,
    architecture: str | None = None,
) -> str:
    """``AVX512``, ``AVX2`` or ``DEFAULT``; on a CPU that is not x86 its architecture."""
    architecture = architecture or platform.machine()
    if not re.fullmatch(r"x86_64|AMD64|i\d86", architecture):
        return architecture
    wanted = environ.get("ATEN_CPU_CAPABILITY")
    if wanted in _LEVELS:
        return wanted.upper()
    return next(level.upper() for level, needed in _LEVELS.items() if needed.issubset(flags))


def limits(environ: Mapping[str, str]) -> str:
    """``NAME=VALUE`` of the variables that are set, a space between them."""
    return " ".join(f"{name}={environ[name]}" for name in _LIMITS if environ.get(name))


def _asked() -> str | None:
    torch = sys.modules.get("torch")
    backend = getattr(getattr(torch, "backends", None), "cpu", None)
    found = backend.get_cpu_capability() if backend is not None else None
    # torch's word for "no special kernels" says nothing about a CPU that is not x86.
    return None if found in (None, "DEFAULT") else str(found)


def _cpuinfo() -> dict[str, str]:
    """Of the first core; empty where the system keeps no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    first = text.partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
