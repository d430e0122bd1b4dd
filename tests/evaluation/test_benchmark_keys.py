"""What has a row's answers, and a benchmark's scores, made anew, and what must not."""

from __future__ import annotations

import pytest

from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.workflow.stage import Stage
from pixel_core.workflow.store.identity import identity, key_of
from pixel_core.workflow.table import benchmark_stages

ENDPOINT = "benchmarks.endpoints.other={base_url='http://127.0.0.1:1/v1',model='m'}"
ROWS = ("policy", "policy_notool", "other", "other_notool")


def key(row: str, *overrides: str) -> str:
    """Of a stage of the benchmark drawn, its inputs as they were."""
    config = load_profile(
        "tiny",
        ["benchmarks.names=['drawn']", "benchmarks.notool=true", ENDPOINT, *overrides],
    )
    name = "scores_drawn" if row == "scores" else f"answers_drawn_{row}"
    return _key(next(stage for stage in benchmark_stages(config) if stage.name == name), config)


def _key(stage: Stage, config: PipelineConfig) -> str:
    return key_of(identity(stage, config, dict.fromkeys(stage.needs, "0" * 64)))


@pytest.mark.parametrize(
    ("setting", "again"),
    [
        ("benchmarks.answers.max_operations=3", set(ROWS)),
        ("benchmarks.answers.chunk=7", set(ROWS)),
        # No probe of a row without operations, nor of an endpoint.
        ("benchmarks.answers.probe=true", {"policy"}),
        # An endpoint's rows have an engine of their own.
        ("benchmarks.answers.engine.kind=vllm", {"policy", "policy_notool"}),
        ("benchmarks.answers.seed=1", set()),
        ("benchmarks.scoring.confidence=0.9", set()),
    ],
)
def test_rows_answer_again_only_for_settings_that_are_theirs(
    setting: str, again: set[str]
) -> None:
    assert {row for row in ROWS if key(row, setting) != key(row)} == again


def test_the_seed_counts_where_answers_are_drawn() -> None:
    warm = "benchmarks.answers.sampling.temperature=1.0"
    assert all(key(row, warm, "benchmarks.answers.seed=1") != key(row, warm) for row in ROWS)


def test_the_order_of_rows_is_the_scores_own() -> None:
    one, other = (
        key("scores", f"benchmarks.models={names}")
        for names in ("['base','policy']", "['policy','base']")
    )
    assert one != other
