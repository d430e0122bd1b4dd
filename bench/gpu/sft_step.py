"""The work of an SFT step on one device: the 7B architecture with random weights.

    python -m bench.gpu.sft_step [--samples 4] [--workers 8] [--attention flash_attention_2]
                                 [--pixels 2000 1000] [--text 700] [--trained 300]
                                 [--train-tower] [--no-checkpointing] [--repeats 5] [--json]
    python -m bench.gpu.sft_step --tiny        the same on a CPU, in seconds

The device does what one of ``--workers`` workers does under FSDP: forward and backward of
whole samples in bfloat16, a sample a pass, and AdamW in float32 on its share of the weights.
What workers tell one another is left out, and so is preparing the samples; weights and
gradients are held whole. A sample is a question with one picture for each of ``--pixels``, of
so many visual tokens (the paper trains at up to 2,000 for a picture and 1,000 for a crop).

Utilisation: the model's FLOPs (``architecture.py``) a second, over the device's peak.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from bench.gpu.architecture import (
    QWEN2_5_VL_7B,
    TINY,
    Architecture,
    SpecialTokens,
    Work,
    build,
    work_of,
)
from bench.gpu.device import Device, this_device
from bench.measure import Figure, Times, arguments, in_turns, tell
from pixel_core.media.budget import FACTOR
from pixel_core.models.batch import collate
from pixel_core.records import Box
from pixel_core.rollout.operations import ShownPicture
from pixel_core.rollout.transcript import Transcript, Visual
from pixel_core.training.ray_train.forward import Inputs, Scorer, inputs_of
from pixel_core.training.ray_train.sharding import to_device


def measure(asked: argparse.Namespace) -> list[Figure]:
    device = this_device()
    shape = TINY if asked.tiny else QWEN2_5_VL_7B
    samples = [sample(shape, asked, number) for number in range(asked.samples)]
    special = SpecialTokens.of(shape)
    batches = [inputs_of(collate([one], special.pad, special.image)) for one in samples]
    step = Step(shape, asked, device)

    def timed() -> None:
        step.run(batches)
        device.wait()

    timed()  # allocates, and compiles what is compiled
    device.forget_peak_memory()
    times = in_turns({"step": timed}, asked.repeats, warm_up=0)["step"]
    return figures(asked, samples, times, work(shape, samples), device)


def sample(shape: Architecture, asked: argparse.Namespace, number: int) -> Transcript:
    """Random words around random pictures; the last ``--trained`` tokens are trained."""
    rng = np.random.default_rng(number)
    special = SpecialTokens.of(shape)

    def words(count: int) -> list[int]:
        return rng.integers(0, special.pad, count).tolist()

    transcript = Transcript()
    transcript.append(words(asked.text - asked.trained))
    for tokens in asked.pixels:
        transcript.append([special.vision_start])
        transcript.append_visual(Visual(picture(tokens, rng)), special.image)
        transcript.append([special.vision_end])
    transcript.append(words(asked.trained), 1.0)
    return transcript


def picture(tokens: int, rng: np.random.Generator) -> ShownPicture:
    """Noise, about 4:3, of at most this many visual tokens."""
    rows = max(1, math.isqrt(tokens * 3 // 4))
    size = (max(1, tokens // rows) * FACTOR, rows * FACTOR)
    noise = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8))
    return ShownPicture(noise, size, Box(x1=0, y1=0, x2=size[0], y2=size[1]), 0)


def work(shape: Architecture, samples: list[Transcript]) -> Work:
    shown = [visual.size for one in samples for visual in one.visuals]
    grids = [(height // 14, width // 14) for width, height in shown]
    trained = sum(weight > 0 for one in samples for weight in one.weights[1:])
    return work_of(shape, [len(one) for one in samples], grids, trained)


class Step:
    """One worker's model and its share of the optimizer."""

    def __init__(self, shape: Architecture, asked: argparse.Namespace, device: Device) -> None:
        half = device.torch.type == "cuda"
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16 if half else torch.float32)
        try:
            with device.torch:
                model = build(shape, asked.attention)
        finally:
            torch.set_default_dtype(before)
        model.model.visual.requires_grad_(asked.train_tower)
        if not asked.no_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
            model.train()
        self._scorer = Scorer(model, ())
        self._device = device.torch
        self._trained = [p for p in model.parameters() if p.requires_grad]
        self._share = _share(self._trained, asked.workers)
        self._masters = [nn.Parameter(p.detach().float()) for p in self._share]
        self._optimizer = torch.optim.AdamW(self._masters, lr=1e-6, fused=half or None)

    def run(self, batches: list[Inputs]) -> float:
        """Forward and backward of every sample, and one update; returns the loss per token."""
        loss_sum: Tensor | float = 0.0
        for inputs in batches:
            loss, _ = self._scorer(**to_device(inputs, self._device))
            loss.backward()
            loss_sum = loss_sum + loss.detach()
        for master, parameter in zip(self._masters, self._share, strict=True):
            master.grad = parameter.grad.float() if parameter.grad is not None else None
        self._optimizer.step()
        with torch.no_grad():
            for master, parameter in zip(self._masters, self._share, strict=True):
                master.grad = None
                parameter.copy_(master)
        for parameter in self._trained:
            parameter.grad = None
        trained = sum(int((one["weights_bt"][:, 1:] > 0).sum()) for one in batches)
        return float(loss_sum) / trained


def _share(trained: list[nn.Parameter], workers: int) -> list[nn.Parameter]:
    """Parameters that together make up about one of ``workers`` equal shares."""
    left = sum(p.numel() for p in trained) / workers
    share = []
    for parameter in sorted(trained, key=lambda p: p.numel()):
        if parameter.numel() <= left or not share:
            share.append(parameter)
            left -= parameter.numel()
    return share


def figures(
    asked: argparse.Namespace,
    samples: list[Transcript],
    times: Times,
    done: Work,
    device: Device,
) -> list[Figure]:
    total = done.training(frozen_tower=not asked.train_tower)
    tokens = sum(len(one) for one in samples)
    where = f"pictures included, {'tiny' if asked.tiny else 'Qwen2.5-VL-7B'} on {device.name}"
    size = f"of {tokens // len(samples)} tokens, {len(samples)} a step"
    peak = f"of {device.peak / 1e12:.3g} TFLOP/s, {device.source}"
    shown = [
        times.rate("tokens", tokens, "tokens/s", note=where),
        times.rate("samples", len(samples), "samples/s", note=size),
        times.rate("compute", total / 1e12, "TFLOP/s", note=f"{total / 1e12:.3g} TFLOP a step"),
        times.rate("utilisation", 100 * total / device.peak, "%", note=peak),
    ]
    if device.memory:
        note = f"of {device.memory / 2**30:.0f} GiB"
        shown.append(Figure("peak memory", device.peak_memory() / 2**30, "GiB", note=note))
    return shown


def parsed(argv: list[str] | None = None) -> argparse.Namespace:
    parser = arguments(__doc__ or "", repeats=5)
    parser.add_argument("--tiny", action="store_true", help="the tiny shape, in seconds")
    parser.add_argument("--samples", type=int, default=4, help="samples of a step")
    parser.add_argument("--workers", type=int, default=8, help="that share the optimizer")
    parser.add_argument("--attention", default="sdpa")
    parser.add_argument("--pixels", type=int, nargs="*", help="visual tokens of each picture")
    parser.add_argument("--text", type=int, help="tokens of text, a sample")
    parser.add_argument("--trained", type=int, help="of them trained")
    parser.add_argument("--train-tower", action="store_true", help="the vision tower as well")
    parser.add_argument("--no-checkpointing", action="store_true")
    asked = parser.parse_args(argv)
    sizes = ([24, 12], 40, 16) if asked.tiny else ([2000, 1000], 700, 300)
    for name, size in zip(("pixels", "text", "trained"), sizes, strict=True):
        if getattr(asked, name) is None:
            setattr(asked, name, size)
    if not 0 < asked.trained < asked.text:
        parser.error(f"--trained {asked.trained} must be above 0 and below --text {asked.text}")
    return asked


if __name__ == "__main__":
    options = parsed()
    tell(options, measure(options))
