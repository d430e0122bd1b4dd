"""The table over seeds says what its rows say."""

from __future__ import annotations

from bench.tiny_seeds import markdown

MACHINE = {"cores": 2, "torch": "2.13", "date": "2026-01-01", "commit": "abc"}


def row(seed: int, policy: float) -> dict[str, float]:
    values: dict[str, float] = {"seed": seed}
    for how in ("greedy", "sampled"):
        values |= {f"base_{how}": 0.5, f"warm_start_{how}": 0.6, f"policy_{how}": policy}
        values |= {f"gain_{how}": policy - 0.6, f"policy_{how}_rapr": 0.25}
    return values


def test_every_seed_has_a_line_and_the_last_has_mean_and_spread() -> None:
    kept = {"machine": MACHINE, "rows": [row(0, 0.8), row(1, 0.9)]}
    lines = markdown({"a CPU, AVX2": kept}).splitlines()
    assert (
        "| 0 | 50.0 / 50.0 | 60.0 / 60.0 | 80.0 / 80.0 | 20.0 / 20.0 | 0.25 / 0.25 |" in lines
    )
    assert "85.0 (80.0 to 90.0)" in lines[-1]
    assert "25.0 (20.0 to 30.0)" in lines[-1]


def test_one_seed_has_no_spread() -> None:
    text = markdown({"a CPU, AVX2": {"machine": MACHINE, "rows": [row(3, 0.8)]}})
    assert "mean" not in text
