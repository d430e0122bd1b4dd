"""The whole path, as a newcomer runs it: ``pixel run`` from nothing to a report."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
from real_runs import RealPixel, SmokeRun, statuses
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

from pixel_core.records import (
    Annotation,
    Query,
    Record,
    Rollout,
    Score,
    Seed,
    Split,
    Trajectory,
    read_jsonl,
)
from pixel_core.workflow.table import STAGES, downstream

ALL = [stage.name for stage in STAGES]
TEST_QUESTIONS = 40


@pytest.fixture
def pixel(smoke: SmokeRun) -> RealPixel:
    return smoke.pixel


def show(pixel: RealPixel, stage: str) -> dict[str, Any]:
    return json.loads(pixel.here("show", stage, "--json").stdout)


def curve(pixel: RealPixel, stage: str) -> list[dict[str, float]]:
    lines = (pixel.artifact(stage).local() / "curve.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_cold_run_builds_every_stage(smoke: SmokeRun) -> None:
    assert statuses(smoke.output) == dict.fromkeys(ALL, "built")
    assert "12 stages: 0 to reuse, 12 to run" in smoke.output
    assert f"report: {smoke.place}/report.html" in smoke.output
    for model in ("base", "warm_start", "policy"):
        assert smoke.output.count(f"  {model} ") == 2, "not a line for each decoding"


def test_another_run_reuses_every_stage(pixel: RealPixel) -> None:
    assert statuses(pixel.run()) == dict.fromkeys(ALL, "reused")


def test_the_scores_have_every_model_and_decoding(pixel: RealPixel) -> None:
    evaluate = show(pixel, "evaluate")
    scores = [Score.model_validate(score) for score in evaluate["scores"]]
    assert [(score.model, score.decoding) for score in scores] == [
        (model, decoding)
        for model in ("base", "warm_start", "policy")
        for decoding in ("greedy", "sampled")
    ]
    kinds = {frozenset(score.by) for score in scores}
    assert len(kinds) == 1, "models were scored on different kinds of question"
    assert {"digit_small", "digit_big"} <= kinds.pop()
    for score in scores:
        assert score.benchmark == "drawn"
        assert score.n == TEST_QUESTIONS
        assert 0 <= score.low <= score.accuracy <= score.high <= 1
        assert score.low < score.high, "no 40 questions leave no doubt"
        assert 0 <= score.rapr <= 1
        assert 0 <= score.op_error_rate <= 1
    assert evaluate["comparisons"], "no paired comparison"


def test_the_scores_are_those_of_the_recorded_answers(pixel: RealPixel) -> None:
    scores = {
        (score["model"], score["decoding"]): score
        for score in show(pixel, "evaluate")["scores"]
    }
    for model in ("base", "warm_start", "policy"):
        folder = pixel.artifact(f"answers_{model}").local()
        queries = {query.id for query in read_jsonl(folder / "queries.jsonl", Query)}
        assert len(queries) == TEST_QUESTIONS
        for decoding, samples in (("greedy", 1), ("sampled", 2)):
            answers = list(read_jsonl(folder / f"{decoding}.jsonl", Rollout))
            assert len(answers) == samples * TEST_QUESTIONS
            assert {answer.query_id for answer in answers} == queries
            right = sum(answer.correct for answer in answers) / len(answers)
            assert scores[model, decoding]["accuracy"] == pytest.approx(right)


def test_every_stage_hands_on_records_that_parse(pixel: RealPixel) -> None:
    def records(stage: str, file: str, kind: type[Record]) -> list[Any]:
        return list(read_jsonl(pixel.artifact(stage).local() / file, kind))

    seeds = records("ingest", "seeds.jsonl", Seed)
    annotations = records("annotate", "annotations.jsonl", Annotation)
    trajectories = records("synthesize", "trajectories.jsonl", Trajectory)
    assert [annotation.seed for annotation in annotations] == seeds
    train = {seed.id for seed in seeds if seed.split is Split.TRAIN}
    assert trajectories
    assert {trajectory.seed_id for trajectory in trajectories} <= train
    asked = records("answers_policy", "queries.jsonl", Query)
    assert {query.id for query in asked} == {s.id for s in seeds if s.split is Split.TEST}


def test_training_moved_the_weights_and_left_its_curves(pixel: RealPixel) -> None:
    weights = [pixel.weights(stage) for stage in ("base_model", "sft", "rl")]
    assert len(set(weights)) == 3
    sft = curve(pixel, "sft")
    assert sft[-1]["loss"] < sft[0]["loss"]
    rl = curve(pixel, "rl")
    assert [row["step"] for row in rl] == list(range(1, len(rl) + 1))
    for column in ("accuracy", "rapr", "reward_curiosity", "reward_penalty", "uniform_groups"):
        assert all(column in row for row in rl), column
    # A mean over nothing is left out: steps without a call have no error rate.
    assert any("op_error_rate" in row for row in rl)
    assert any(row["grad_norm"] > 0 for row in rl), "no reward ever differed"
    validated = [row["step"] for row in rl if "validation_accuracy" in row]
    assert validated == [2, 4]
    # One update a batch: the sampled log-probabilities are those recomputed for training.
    assert max(abs(row.get("kl_sampler", 0.0)) for row in rl) < 1e-5


@pytest.mark.parametrize("stage", ["base_model", "sft", "rl"])
def test_the_models_load_with_the_class_they_claim(pixel: RealPixel, stage: str) -> None:
    folder = pixel.artifact(stage).local() / "model"
    model, info = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder, output_loading_info=True
    )
    assert not any(info.values()), info
    assert 5e5 < sum(weight.numel() for weight in model.parameters()) < 2e6
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = 'the red card <tool_call>{"name": "zoom"}</tool_call> \\boxed{7}'
    tokens = tokenizer(text, return_tensors="pt")
    assert tokenizer.decode(tokens["input_ids"][0]) == text
    with torch.no_grad():
        logits = model(**tokens).logits
    assert logits.shape[-1] >= len(tokenizer)
    assert logits.isfinite().all()


class Addresses(HTMLParser):
    """What a page would fetch, and its words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.words: list[str] = []
        self.pictures = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pictures += tag == "img"
        for name, value in attrs:
            loads = name in {"src", "srcset", "poster"} or (tag == "link" and name == "href")
            if loads and value and not value.startswith("data:"):
                self.fetched.append(value)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_report_is_one_file_with_the_runs_numbers(pixel: RealPixel) -> None:
    page = (Path(pixel.store) / "report.html").read_text(encoding="utf-8")
    found = Addresses(page)
    assert found.fetched == []
    assert "@import" not in page
    assert found.pictures > 0
    words = " ".join(" ".join(found.words).split())
    assert "Pixel Reasoner, smoke run" in words
    assert "RaPR" in words
    for score in show(pixel, "evaluate")["scores"]:
        assert f"{100 * score['accuracy']:.1f}" in words


def test_the_plan_says_reuse_for_all(pixel: RealPixel) -> None:
    decisions = json.loads(pixel("plan", "--profile", "smoke", "--json").stdout)
    assert {item["stage"]: item["action"] for item in decisions} == dict.fromkeys(ALL, "reuse")


def test_the_plan_names_a_changed_setting_and_what_follows(pixel: RealPixel) -> None:
    changed = ("--set", "sft.steps=9")
    decisions = json.loads(pixel.here("plan", "--profile", "smoke", "--json", *changed).stdout)
    # answers_base stands on base_model, which stands on no data: neither is touched.
    assert {item["stage"] for item in decisions if item["action"] == "run"} == downstream("sft")
    by_name = {item["stage"]: item for item in decisions}
    assert by_name["sft"]["reason"] == "`sft.steps` 24 -> 9"
    assert by_name["rl"]["reason"] == "input `sft` will be rebuilt"
    assert by_name["base_model"]["reason"] == "unchanged"
