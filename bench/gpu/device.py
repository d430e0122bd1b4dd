"""The device of a benchmark: its name, memory, and peak FLOP/s."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

#: Dense bfloat16 FLOP/s by a part of the device's name, from NVIDIA's data sheets, without
#: sparsity.
_PEAKS = (("H200", 989.5e12), ("H100", 989.5e12), ("A100", 312e12), ("L40S", 362e12))


@dataclass(frozen=True)
class Device:
    name: str
    #: Bytes; 0 on a CPU.
    memory: int
    #: FLOP/s.
    peak: float
    #: The source of ``peak``.
    source: str
    torch: torch.device

    def wait(self) -> None:
        """Wait until all queued work is done."""
        if self.torch.type == "cuda":
            torch.cuda.synchronize(self.torch)

    def forget_peak_memory(self) -> None:
        if self.torch.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.torch)

    def peak_memory(self) -> int:
        """Peak bytes allocated since ``forget_peak_memory``; 0 on a CPU."""
        return torch.cuda.max_memory_allocated(self.torch) if self.memory else 0


def this_device() -> Device:
    """The first GPU, else the CPU. An unknown peak is measured with one product."""
    if not torch.cuda.is_available():
        cpu = torch.device("cpu")
        return Device("CPU", 0, _measured(cpu, torch.float32, 512), "measured, float32", cpu)
    gpu = torch.device("cuda", 0)
    properties = torch.cuda.get_device_properties(gpu)
    known = [peak for part, peak in _PEAKS if part in properties.name]
    if known:
        peak, source = known[0], "data sheet, dense bfloat16"
    else:
        peak, source = _measured(gpu, torch.bfloat16, 8192), "measured, bfloat16"
    return Device(properties.name, properties.total_memory, peak, source, gpu)


def _measured(device: torch.device, dtype: torch.dtype, side: int) -> float:
    """The best FLOP/s of several square matrix products."""
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    best = 0.0
    for _ in range(10):
        started = time.perf_counter()
        product = left @ right
        float(product[0, 0])  # waits for the device
        best = max(best, 2 * side**3 / (time.perf_counter() - started))
    return best
