"""Order, learning rates, and batches by length."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.config import OptimizerConfig
from pixel_core.training.batching import Order, by_length
from pixel_core.training.optimizer import rate_factor


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 5))
def test_each_epoch_takes_every_item_once(count: int, batch: int, seed: int) -> None:
    order = Order(count, batch, f"test/{seed}")
    taken = [item for step in range(3 * count) for item in order.at(step)]
    for start in range(0, len(taken) - count + 1, count):
        assert sorted(taken[start : start + count]) == list(range(count))


def test_the_order_follows_from_the_step_alone() -> None:
    whole = [Order(50, 8, "a").at(step) for step in range(20)]
    assert [Order(50, 8, "a").at(step) for step in reversed(range(20))] == whole[::-1]
    assert [Order(50, 8, "b").at(step) for step in range(20)] != whole


def test_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        Order(0, 4, "a")


def test_rates_warm_up_hold_and_fall() -> None:
    config = OptimizerConfig(schedule="linear", warmup_steps=4, hold=0.5, final=0.1)
    rates = [rate_factor(config, step, 100) for step in range(101)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[50] == 1.0
    assert rates[75] == pytest.approx(0.55)
    assert rates[100] == pytest.approx(0.1)
    assert rates[50:] == sorted(rates[50:], reverse=True)
    cosine = OptimizerConfig(schedule="cosine")
    assert rate_factor(cosine, 50, 100) == pytest.approx(0.5)
    assert rate_factor(OptimizerConfig(), 99, 100) == 1.0


@given(st.lists(st.integers(1, 500), max_size=80), st.integers(1, 2000))
def test_passes_hold_everything_once_in_order_of_length(lengths: list[int], most: int) -> None:
    items = list(enumerate(lengths))
    groups = list(by_length(items, lambda item: item[1], most))
    assert [item for group in groups for item in group] == sorted(items, key=lambda i: i[1])
    sizes = [[size for _, size in group] for group in groups]
    assert all(len(group) == 1 or sum(group) <= most for group in sizes)
    # No pass could have taken the next one's first as well.
    for group, after in pairwise(sizes):
        assert sum(group) + after[0] > most
