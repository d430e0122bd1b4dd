"""What the plan says annotation will cost, held against what it then costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from asking import KEY, VARIABLE

from pixel_core.config import PipelineConfig
from pixel_core.data.annotation import cost_estimate as likely_cost
from pixel_core.dev.annotator import AnnotatorServer
from pixel_core.workflow.planning import plan
from pixel_core.workflow.runner import StageOutcome, run_stage
from pixel_core.workflow.stage import Prediction
from pixel_core.workflow.store import Artifact, Store
from pixel_core.workflow.table import BY_NAME

NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


def settings(url: str, train: int, **openai: object) -> PipelineConfig:
    asked = {"base_url": url, "api_key_env": VARIABLE, **openai}
    return PipelineConfig.model_validate(
        {
            "ingest": {"drawn": {"train": train, "validation": 1, "test": 1}},
            "annotate": {"by": "openai", "openai": asked},
        }
    )


def planned(config: PipelineConfig, store: Store) -> Prediction | None:
    decisions = plan(config, store, until="annotate")
    assert decisions[-1].stage == "annotate"
    return decisions[-1].cost


def predicted(config: PipelineConfig, store: Store) -> tuple[float, str]:
    cost = planned(config, store)
    assert cost is not None
    assert cost.usd is not None
    return cost.usd, cost.words


def ingest(config: PipelineConfig, store: Store) -> StageOutcome:
    return run_stage(BY_NAME["ingest"], config, {}, store)


def annotate(config: PipelineConfig, seeds: Artifact, store: Store) -> Mapping[str, float]:
    """What the stage came to cost."""
    made = run_stage(BY_NAME["annotate"], config, {"ingest": seeds}, store)
    return made.artifact.manifest.costs


def test_the_plan_predicts_what_is_then_paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(str(tmp_path))
    with AnnotatorServer() as server:
        config = settings(server.url, 8)
        unknown = planned(config, store)
        assert unknown == Prediction(None, "cost unknown until ingest has run")

        seeds = ingest(config, store).artifact
        usd, words = predicted(config, store)
        paid = annotate(config, seeds, store)
        # Nothing was measured yet: sizes alone say about what it costs.
        assert usd / 2 < paid["usd"] < usd * 2
        # A seed whose crop fails is looked at no further, so it may come to less.
        assert words.endswith("for 24 requests of gpt-4o-2024-11-20")
        assert 16 <= paid["requests"] <= 24
        assert planned(config, store) is None  # reused: costs nothing

        # New seeds cost only themselves, and the plan knows it.
        more = settings(server.url, 10)
        seeds = ingest(more, store).artifact
        monkeypatch.setattr(likely_cost, "_ENOUGH", 5)
        usd, words = predicted(more, store)
        again = annotate(more, seeds, store)
        assert 4 <= again["requests"] <= 6
        assert "for 6 requests" in words
        assert f"{paid['requests']:.0f} are on record" in words
        assert usd / 2 < again["usd"] < usd * 1.5
        assert again["saved_usd"] == pytest.approx(paid["usd"])

        # All on record: another key, nothing to pay.
        free = settings(server.url, 10, verify={"votes": 0})
        assert predicted(free, store) == (0.0, "costs nothing: every answer is on record")


def test_a_budget_that_will_not_do_is_told_before(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    config = settings(NOWHERE, 4, budget_usd=0.001)
    ingest(config, store)
    usd, words = predicted(config, store)
    assert words.endswith("budget_usd ends it at $0.001")
    batch, _ = predicted(settings(NOWHERE, 4, mode="batch"), store)
    assert batch == pytest.approx(usd / 2)


def test_many_seeds_are_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(str(tmp_path))
    config = settings(NOWHERE, 20)
    ingest(config, store)
    whole, _ = predicted(config, store)
    monkeypatch.setattr(likely_cost, "SAMPLE", 5)
    assert predicted(config, store)[0] == pytest.approx(whole, rel=0.2)


def test_annotations_by_the_source_cost_nothing(tmp_path: Path) -> None:
    assert planned(PipelineConfig(), Store.open(str(tmp_path))) is None
