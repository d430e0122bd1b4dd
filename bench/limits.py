"""How near a step is to its own products at this machine's rate, one thread.

    python -m bench.limits [--store STORE] [--batch 16] [--batches 4] [--repeats 7] [--json]

A piece of work is run once while its matrix products (attention's included) are written
down: which, and on tensors of what shapes. Then the work and its bare products, on other
numbers of those shapes, take turns. What the products take is the limit: nothing that keeps
the arithmetic goes below it. The rate is that of the same products, in multiplications and
additions a second; beside it, that of one large square product, which is what the machine
can do.

Without a store the model has random weights, and the work is SFT's gradient; with one, also
greedy answers to its test questions, 100 at a time.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from bench.material import make, model
from bench.measure import Figure, arguments, in_turns, tell
from pixel_core.config import SamplingConfig
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.records import Split
from pixel_core.rollout.episode import run_episodes
from pixel_core.rollout.queries import QueryReader, read_queries
from pixel_core.training.sft import SftDataset, learn
from pixel_core.workflow.store import Store

_aten = torch.ops.aten
#: Recorded whole without a gradient, or in parts with one.
_PRODUCTS = {
    _aten.linear.default,
    _aten.scaled_dot_product_attention.default,
    _aten.mm.default,
    _aten.addmm.default,
    _aten.bmm.default,
    _aten.baddbmm.default,
    _aten._scaled_dot_product_flash_attention_for_cpu.default,
    _aten._scaled_dot_product_flash_attention_for_cpu_backward.default,
}
_SIDE = 2048


class Products(TorchDispatchMode):
    """Records the products computed under it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[tuple[Any, ...]] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func in _PRODUCTS:
            options = tuple(sorted((kwargs or {}).items(), key=lambda item: item[0]))
            self.seen[func, tuple(map(_shape, args)), _options(options)] += 1
        return func(*args, **(kwargs or {}))

    def bare(self) -> Callable[[], None]:
        """The same products on other numbers."""
        calls = [
            (func, [_made(value) for value in args], {k: _made(v) for k, v in options}, count)
            for (func, args, options), count in self.seen.items()
        ]

        def run() -> None:
            with torch.no_grad():
                for func, args, options, count in calls:
                    for _ in range(count):
                        func(*args, **options)

        return run


def _options(options: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, _shape(value)) for name, value in options)


def _shape(value: Any) -> Any:
    """A tensor's shape and strides; anything else unchanged."""
    if isinstance(value, Tensor):
        return ("tensor", tuple(value.shape), value.stride())
    return value


def _made(value: Any) -> Any:
    if isinstance(value, tuple) and value and value[0] == "tensor":
        _, shape, stride = value
        span = 1 + sum((n - 1) * step for n, step in zip(shape, stride, strict=True) if n)
        return torch.rand(max(span, 1)).as_strided(shape, stride)
    return value


def measure(asked: argparse.Namespace) -> list[Figure]:
    torch.set_num_threads(1)
    works: dict[str, Callable[[], object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        material = make(Path(folder), asked.batch * asked.batches)
        tuned, prompts = model(material, asked.store, "base_model")
        dataset = SftDataset(material.inputs, prompts)
        transcripts = [dataset.transcript(index) for index in range(len(dataset))]
    for transcript in transcripts:
        for visual in transcript.visuals:
            _ = visual.cut

    def gradients() -> None:
        for start in range(0, len(transcripts), asked.batch):
            learn(tuned, transcripts[start : start + asked.batch], prompts.vocabulary)
            tuned.zero_grad()

    works[f"SFT's gradient, batches of {asked.batch}"] = gradients
    if asked.store:
        works["greedy answers, 100 questions"] = _answers(asked.store, material)
    figures = [_machine(asked.repeats)]
    for name, work in works.items():
        figures += _limits(name, work, asked.repeats)
    return figures


def _answers(store: str, material: Any) -> Callable[[], object]:
    found = Store.open(store).latest("ingest")
    assert found is not None
    policy, prompts = model(material, store, "rl")
    questions = QueryReader(found.local(), prompts)
    openings = [questions.open(q) for q in read_queries(found.local(), Split.TEST)[:100]]
    engine = EmbeddedEngine(policy, prompts.vocabulary)
    greedy = SamplingConfig(temperature=0.0)
    return lambda: run_episodes(engine, prompts, openings, 1, greedy)


def _machine(repeats: int) -> Figure:
    a, b = torch.rand(_SIDE, _SIDE), torch.rand(_SIDE, _SIDE)
    times = in_turns({"square": lambda: torch.mm(a, b)}, repeats)["square"]
    return times.rate(
        f"one product of {_SIDE} x {_SIDE} matrices", 2 * _SIDE**3 / 1e9, "GFLOP/s"
    )


def _limits(name: str, work: Callable[[], object], repeats: int) -> list[Figure]:
    products, counter = Products(), FlopCounterMode(display=False)
    work()
    with products:
        work()
    bare = products.bare()
    with counter:
        bare()
    count = sum(products.seen.values())
    candidates: Mapping[str, Callable[[], object]] = {"work": work, "bare": bare}
    times = in_turns(candidates, repeats)
    shares = sorted(
        100 * alone / whole
        for alone, whole in zip(times["bare"].seconds, times["work"].seconds, strict=True)
    )
    return [
        times["bare"].rate(
            f"{name}: its {count:,} products alone",
            counter.get_total_flops() / 1e9,
            "GFLOP/s",
        ),
        Figure(
            f"{name}: the share of its time that its products alone take",
            shares[len(shares) // 2],
            "%",
            shares[len(shares) // 4],
            shares[-1 - len(shares) // 4],
        ),
    ]


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=7)
    options.add_argument("--batch", type=int, default=16, help="transcripts a batch")
    options.add_argument("--batches", type=int, default=4, help="batches a turn")
    options.add_argument("--store", default="", help="the store of a finished run")
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    tell(given, measure(given))
