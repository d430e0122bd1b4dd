"""Tables of scores mark a warm start that missed its rule, by what the store knows of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows.cli.show import score_table, show_stage
from flows.consoles import plain_console
from flows.results import score_rows, warm_start_selected
from pixel_core.config import PipelineConfig
from pixel_core.workflow.runner import run_stage
from pixel_core.workflow.stage import Stage, StageContext
from pixel_core.workflow.store import Artifact, Store
from tasks.page import scores_markdown

SCORE = {"benchmark": "drawn", "decoding": "greedy", "n": 8, "rapr": 0.1, "op_error_rate": 0.0}
SCORE |= {"accuracy": 0.5, "low": 0.4, "high": 0.6}


def sft(context: StageContext, selected: str) -> dict[str, Any]:
    (context.out / "curve.jsonl").write_text("")
    return {"no rule": {}, "met": {"selected": True}, "missed": {"selected": False}}[selected]


def answers(context: StageContext) -> dict[str, Any]:
    (context.out / "queries.jsonl").write_text("")
    return {}


def evaluate(context: StageContext) -> dict[str, Any]:
    rows = [SCORE | {"model": model} for model in ("base", "warm_start", "policy")]
    (context.out / "scores.json").write_text(json.dumps({"scores": rows, "comparisons": []}))
    return {}


def evaluated(store: Store, selected: str) -> Artifact:
    """Through stages of the real names, on nothing but what their manifests say."""
    made: dict[str, Artifact] = {}
    for name, function, needs, arguments in (
        ("sft", "sft", (), {"selected": selected}),
        ("answers_warm_start", "answers", ("sft",), {}),
        ("evaluate", "evaluate", ("answers_warm_start",), {}),
    ):
        stage = Stage(name, 1, (), needs, f"{__name__}:{function}", "", arguments=arguments)
        inputs = {need: made[need] for need in needs}
        config = PipelineConfig(name="test")
        made[name] = run_stage(stage, config, inputs, store).artifact
    return made["evaluate"]


@pytest.mark.parametrize(
    ("case", "known"), [("no rule", None), ("met", True), ("missed", False)]
)
def test_a_table_of_scores_marks_a_missed_rule(
    case: str, known: bool | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.open(str(tmp_path))
    artifact = evaluated(store, case)
    assert warm_start_selected(artifact, store) is known
    rows = score_rows(artifact, store)
    marked = "warm_start (rule missed)" if case == "missed" else "warm_start"
    assert [row["model"] for row in rows] == ["base", marked, "policy"]
    assert f"| {marked} |" in scores_markdown(rows)
    plain_console().print(score_table(rows))
    # A narrow terminal may break the line.
    assert ("missed)" in capsys.readouterr().out) is (case == "missed")
    show_stage(store, "evaluate", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["warm_start_selected"] is known
    assert [row["model"] for row in found["scores"]] == ["base", "warm_start", "policy"]


def test_the_runs_own_warm_start_counts_where_two_rules_came_to_the_same_weights(
    tmp_path: Path,
) -> None:
    store = Store.open(str(tmp_path))
    first = evaluated(store, "met")
    again = evaluated(store, "missed")
    assert again.key == first.key, "the same bytes: answers and scores are reused"
    assert warm_start_selected(again, store) is True
    latest = store.latest("sft")
    assert latest is not None
    assert warm_start_selected(again, store, latest.key) is False


def test_a_store_that_lost_the_warm_start_says_nothing(tmp_path: Path) -> None:
    """The digest of an empty curve is the same for all three: the lineage goes by key."""
    store = Store.open(str(tmp_path))
    artifact = evaluated(store, "missed")
    for place in (tmp_path / "artifacts" / "sft").rglob("manifest.json"):
        place.unlink()
    assert warm_start_selected(artifact, store) is None
