"""Charts as inline SVG: the same bytes each time, safe text, gaps, running means."""

from __future__ import annotations

from math import nan
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.report.curves import training_panels
from pixel_core.report.html.charts import Bar, ChartLine, bar_chart, line_chart, running_mean

LINE = ChartLine("loss", range(50), [1 / (1 + n) for n in range(50)])


def texts(svg: str) -> list[str]:
    return [
        e.text for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("}text") and e.text
    ]


def test_the_same_numbers_give_the_same_bytes() -> None:
    first = line_chart("a", [LINE])
    assert first == line_chart("a", [LINE])
    assert "<dc:date" not in first.svg
    assert "0a0b0" not in first.svg, "every stand-in colour became a variable"


def test_two_charts_share_no_ids() -> None:
    def ids(name: str) -> set[str]:
        tree = ElementTree.fromstring(line_chart(name, [LINE]).svg)
        return {e.attrib["id"] for e in tree.iter() if "id" in e.attrib}

    assert ids("a")
    assert not ids("a") & ids("b")


@settings(max_examples=15, deadline=None)
@given(
    st.text(
        alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]),
        min_size=1,
        max_size=20,
    )
)
def test_any_label_is_text(label: str) -> None:
    svg = bar_chart("kinds", [label], [("policy", [Bar(0.5, 0.4, 0.6)])]).svg
    tree = ElementTree.fromstring(svg)
    assert not any(e.tag.endswith(("}script", "}style")) for e in tree.iter())
    if label.strip():
        assert any(label.strip() in text for text in texts(svg))


def test_the_label_tells_first_and_last_values() -> None:
    chart = line_chart("a", [ChartLine("accuracy", [0, 5, 9], [nan, 0.25, 0.75])], share=True)
    assert 'aria-label="accuracy: 0.25 at step 5, 0.75 at step 9"' in chart.svg


def test_shares_use_the_room_they_need() -> None:
    low = texts(line_chart("a", [ChartLine("x", [0, 1], [0.0, 0.04])], share=True).svg)
    high = texts(line_chart("a", [ChartLine("x", [0, 1], [0.0, 0.9])], share=True).svg)
    assert "100%" not in low
    assert "100%" in high


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=40),
    st.integers(0, 4).map(lambda n: 2 * n + 1),
)
def test_running_mean_is_the_mean_of_what_is_near(values, window) -> None:
    window = min(window, len(values) | 1)
    if window > len(values):
        return
    result = running_mean(values, window)
    half = window // 2
    for n in range(len(values)):
        near = values[max(0, n - half) : n + half + 1]
        assert result[n] == pytest.approx(np.mean(near), abs=1e-9)


def test_running_mean_skips_gaps() -> None:
    result = running_mean([1.0, nan, 3.0, nan, nan, nan], 3)
    assert result[:4].tolist() == [1.0, 2.0, 3.0, 3.0]
    assert np.isnan(result[5])


def test_phases_that_count_anew_are_laid_end_to_end() -> None:
    rows = [{"step": n, "phase": p, "loss": 1.0} for p in ("one", "two") for n in range(10)]
    (panel,) = training_panels("base_model", rows)
    assert "1 at step 0, 1 at step 19" in panel.chart.svg


def test_validation_points_are_drawn_with_their_training_curve() -> None:
    rows = [
        {"step": n, "accuracy": 0.5} | ({"validation_accuracy": 0.6} if n % 5 == 0 else {})
        for n in range(20)
    ]
    (panel,) = training_panels("rl", rows)
    assert [label for label, _ in panel.chart.legend] == ["accuracy"]
    assert "accuracy, validation: 0.6 at step 0, 0.6 at step 15" in panel.chart.svg


def test_an_empty_curve_has_no_panels() -> None:
    assert training_panels("rl", []) == []
