"""The evaluation stage, from answer folders on disk to ``scores.json``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pixel_core.config import PipelineConfig
from pixel_core.errors import DataError
from pixel_core.evaluation.held_out import run
from pixel_core.records import Picture, Query, Rollout, Score, StopReason, write_jsonl
from pixel_core.workflow.stage import SilentProgress, StageContext

PICTURE = Picture(member="a.png", width=10, height=10, sha256="0" * 64)
KINDS = ("small", "big")
SAMPLES = 4


class NoWork:
    """The stage keeps no checkpoints."""

    def put(self, name: str, data: bytes) -> None:
        raise AssertionError(name)

    get = put
    delete = put

    def names(self) -> list[str]:
        return []


def questions(count: int) -> list[Query]:
    return [
        Query(
            id=f"q{n:03}",
            question="which digit?",
            pictures=(PICTURE,),
            answers=("7",),
            kind=KINDS[n % 2],
        )
        for n in range(count)
    ]


def answer(query: Query, sample: int, correct: bool, operations: int) -> Rollout:
    return Rollout(
        query_id=query.id,
        sample=sample,
        steps=(),
        stop=StopReason.ANSWERED,
        answer="7" if correct else "1",
        correct=correct,
        operations=operations,
        failed_operations=0,
        tokens=12,
    )


def write_answers(
    folder: Path, queries: list[Query], right: int, operations: int, samples: int = SAMPLES
) -> None:
    """The first ``right`` questions are answered rightly, in every sample."""
    folder.mkdir(parents=True)
    write_jsonl(folder / "queries.jsonl", queries)
    for decoding, count in (("greedy", 1), ("sampled", samples)):
        rollouts = (
            answer(query, sample, place < right, operations)
            for place, query in enumerate(queries)
            for sample in range(count)
        )
        write_jsonl(folder / f"{decoding}.jsonl", rollouts)
    (folder / "settings.json").write_text(json.dumps({"samples": samples, "seed": 0}))


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    queries = questions(60)
    for model, right, operations in (("base", 6, 0), ("warm_start", 24, 1), ("policy", 48, 1)):
        write_answers(tmp_path / f"answers_{model}", queries, right, operations)
    out = tmp_path / "out"
    out.mkdir()
    return StageContext(
        config=PipelineConfig.model_validate({"evaluate": {"resamples": 500}}),
        inputs={
            f"answers_{m}": tmp_path / f"answers_{m}" for m in ("base", "warm_start", "policy")
        },
        out=out,
        work=NoWork(),
        progress=SilentProgress(),
    )


def test_scores_and_comparisons(context: StageContext) -> None:
    metrics = run(context)
    result = json.loads((context.out / "scores.json").read_text())

    scores = {(s["model"], s["decoding"]): Score.model_validate(s) for s in result["scores"]}
    assert len(scores) == 6
    assert scores["policy", "greedy"].accuracy == pytest.approx(0.8)
    assert scores["policy", "sampled"].n == 60, "n counts questions, not samples"
    assert scores["base", "sampled"].rapr == 0.0
    assert scores["policy", "greedy"].rapr == 1.0
    for score in scores.values():
        assert score.low < score.accuracy < score.high
        assert set(score.by) == set(KINDS)
        assert sum(row["n"] for row in score.by.values()) == 60

    pairs = {(c["a"], c["b"], c["decoding"]): c for c in result["comparisons"]}
    assert len(pairs) == 6
    gain = pairs["warm_start", "policy", "greedy"]
    assert (gain["won"], gain["lost"]) == (24, 0)
    assert gain["difference"] == pytest.approx(0.4)
    assert gain["low"] < 0.4 < gain["high"]
    assert gain["p_value"] == pytest.approx(2 / 2**24)
    assert gain["by"]["small"]["won"] == 12
    assert pairs["warm_start", "policy", "sampled"]["p_value"] == pytest.approx(1 / 501)
    assert result["settings"]["answers"]["base"]["samples"] == SAMPLES
    assert result["episodes"]["policy"]["sampled"]["stops"] == {"answered": 240}

    assert metrics["policy_greedy"] == pytest.approx(0.8)
    assert metrics["policy_gain_greedy"] == pytest.approx(0.4)
    assert json.loads(json.dumps(metrics)) == metrics


def test_the_same_answers_give_the_same_bytes(context: StageContext) -> None:
    run(context)
    first = (context.out / "scores.json").read_bytes()
    run(context)
    assert (context.out / "scores.json").read_bytes() == first


def rewrite(context: StageContext, model: str, queries: list[Query], **values) -> None:
    folder = context.inputs[f"answers_{model}"]
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    write_answers(folder, queries, **({"right": 1, "operations": 0} | values))


def test_an_empty_benchmark_is_refused(context: StageContext) -> None:
    for model in ("base", "warm_start", "policy"):
        rewrite(context, model, [])
    with pytest.raises(DataError, match="empty benchmark"):
        run(context)


def test_different_questions_are_refused(context: StageContext) -> None:
    rewrite(context, "warm_start", questions(59))
    with pytest.raises(DataError, match=r"base and warm_start .* 'q059'"):
        run(context)


def test_a_changed_question_under_the_same_id_is_refused(context: StageContext) -> None:
    changed = questions(60)
    changed[7] = changed[7].model_copy(update={"answers": ("8",)})
    rewrite(context, "policy", changed)
    with pytest.raises(DataError, match="q007"):
        run(context)


def test_unequal_samples_are_refused(context: StageContext) -> None:
    rewrite(context, "policy", questions(60), samples=2)
    with pytest.raises(DataError, match="one setting for all"):
        run(context)


def test_a_missing_answer_is_refused(context: StageContext) -> None:
    path = context.inputs["answers_policy"] / "sampled.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(DataError, match=r"sampled.jsonl: 3 answers to 'q059' where 4"):
        run(context)
