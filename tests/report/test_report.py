"""The report stage: its file, its numbers, its rules."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from run_folders import small_config

from pixel_core.config import PipelineConfig
from pixel_core.errors import DataError
from pixel_core.records import (
    Annotation,
    Picture,
    Query,
    SecondLook,
    Trajectory,
    TrajectoryKind,
    Turn,
    read_jsonl,
    write_jsonl,
)
from pixel_core.report.episode_cards import choose
from pixel_core.report.findings import findings, tiles
from pixel_core.report.html.settings import settings_lines
from pixel_core.report.inventory import look_table, trajectory_table
from pixel_core.report.material import read_material
from pixel_core.report.report import run
from pixel_core.workflow.stage import StageContext


def page(context: StageContext) -> str:
    return (context.out / "report.html").read_text(encoding="utf-8")


def variant(context: StageContext, tmp_path: Path, *changed: str) -> StageContext:
    """The same run with private copies of the ``changed`` input folders."""
    inputs = dict(context.inputs)
    for name in changed:
        inputs[name] = Path(shutil.copytree(context.inputs[name], tmp_path / name))
    out = tmp_path / "out"
    out.mkdir()
    return replace(context, inputs=inputs, out=out)


def test_the_same_inputs_give_the_same_bytes(context: StageContext, tmp_path: Path) -> None:
    again = variant(context, tmp_path)
    metrics = run(again)
    assert page(again) == page(context)
    assert metrics["bytes"] == len(page(context).encode()) < 3_000_000
    assert metrics["trajectories"] == 5
    assert metrics["questions"] >= 6


def test_the_profiles_name_and_the_place_of_the_run_leave_no_trace(context, tmp_path) -> None:
    """Neither is part of the report's identity, so neither may shape its bytes."""
    made = variant(context, tmp_path)
    elsewhere = {"name": "other", "runtime": {"store": "s3://elsewhere", "workers": 7}}
    config = PipelineConfig.model_validate(made.config.model_dump() | elsewhere)
    run(replace(made, config=config))
    assert page(made) == page(context)


def test_the_headline_has_the_scores_numbers(context: StageContext) -> None:
    scores = json.loads((context.inputs["evaluate"] / "scores.json").read_text())
    material = read_material(context.inputs)
    assert material.hidden_kinds() == ["digit_small"]
    for tile in tiles(material):
        row = next(
            s for s in scores["scores"] if (s["model"], s["decoding"]) == (tile.model, "greedy")
        )
        assert tile.accuracy.split("\N{NO-BREAK SPACE}")[0] == f"{100 * row['accuracy']:.1f}"
        hidden = row["by"]["digit_small"]["accuracy"]
        assert tile.hidden.split("\N{NO-BREAK SPACE}")[0] == f"{100 * hidden:.1f}"
        assert tile.accuracy in page(context)
    gain = next(
        c
        for c in scores["comparisons"]
        if (c["a"], c["b"], c["decoding"]) == ("warm_start", "policy", "greedy")
    )
    first = findings(material)[0].text
    for number in (
        f"{100 * gain['difference']:.1f} points more",
        f"{100 * gain['low']:+.1f} to {100 * gain['high']:+.1f}",
        f"better on {gain['won']} questions, worse on {gain['lost']}",
    ):
        assert number in first


@pytest.mark.parametrize(
    ("difference", "p", "tone", "words"),
    [
        (0.2, 0.001, "good", "20.0 points more than"),
        (-0.2, 0.001, "bad", "20.0 points less than"),
        (0.02, 0.4, "none", "which may be chance"),
        (0.0, 1.0, "none", "as many as"),
    ],
)
def test_a_loss_or_no_difference_is_said_plainly(context, difference, p, tone, words) -> None:
    material = read_material(context.inputs)
    row = material.comparison("warm_start", "policy", "greedy")
    row |= {"difference": difference, "p_value": p}
    finding = findings(material)[0]
    assert finding.tone == tone
    assert words in finding.text


def test_missing_curves_and_unknown_columns_are_tolerated(context, tmp_path) -> None:
    made = variant(context, tmp_path, "base_model", "rl")
    (made.inputs["base_model"] / "curve.jsonl").unlink()
    rows = [
        {"step": 0, "loss": 1.0, "news": "text", "accuracy": None},
        {"step": 1, "loss": float("nan"), "accuracy": 0.5, "$x^{": [1]},
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (made.inputs["rl"] / "curve.jsonl").write_text(text)
    run(made)
    assert "perception pretraining" not in page(made)
    assert "Policy loss" in page(made)


def test_the_models_own_answers_are_counted_with_the_synthesised(context, tmp_path) -> None:
    made = variant(context, tmp_path, "text_only")
    synthesised = read_material(made.inputs).trajectories
    own = Trajectory(
        id="own",
        seed_id=synthesised[0].seed_id,
        kind=TrajectoryKind.TEXT_ONLY,
        turns=(Turn(text="plain to see \\boxed{7}"),),
    )
    write_jsonl(made.inputs["text_only"] / "trajectories.jsonl", [own])
    rows = trajectory_table(read_material(made.inputs))["rows"]
    assert next(row for row in rows if row[0] == "text only")[1] == 1
    assert rows[-1][1] == len(synthesised) + 1
    run(made)
    assert "plain to see" in page(made)


def test_a_damaged_curve_names_its_line(context, tmp_path) -> None:
    made = variant(context, tmp_path, "sft")
    (made.inputs["sft"] / "curve.jsonl").write_text('{"step": 0}\n{"step": \n')
    with pytest.raises(DataError, match=r"curve.jsonl, line 2"):
        run(made)


def test_a_trajectory_without_its_seed_is_refused(context, tmp_path) -> None:
    made = variant(context, tmp_path, "synthesize")
    path = made.inputs["synthesize"] / "trajectories.jsonl"
    path.write_text(path.read_text().replace('"seed_id":"drawn', '"seed_id":"gone'))
    with pytest.raises(DataError, match="ingest artifact lacks"):
        run(made)


def test_no_examples_is_a_page_without_episodes(context, tmp_path) -> None:
    made = replace(variant(context, tmp_path), config=small_config(examples=0))
    assert run(made)["questions"] == 0
    assert "No examples were asked for" in page(made)


def test_places_and_addresses_stay_out_of_the_settings() -> None:
    config = PipelineConfig.model_validate(
        {
            "runtime": {"store": "s3://secret-bucket"},
            "annotate": {"by": "openai", "openai": {"base_url": "https://me:pw@host/v1"}},
        }
    )
    lines = settings_lines(config)
    assert "secret" not in lines
    assert "pw@host" not in lines
    assert "annotate.openai.model = 'gpt-4o-2024-11-20'" in lines


PICTURE = Picture(member="a.png", width=10, height=10, sha256="0" * 64)


def asked(*kinds: str) -> list[Query]:
    return [
        Query(id=f"q{n}", question="?", pictures=(PICTURE,), answers=("7",), kind=kind)
        for n, kind in enumerate(kinds)
    ]


def test_examples_are_the_first_of_each_kind_and_the_first_wrong_one() -> None:
    queries = asked("b", "b", "a", "b", "a", "a", "a")
    correct = {f"q{n}": n not in (5, 6) for n in range(7)}
    picked = choose(queries, correct, 3)
    assert [choice.query.id for choice in picked] == ["q2", "q4", "q5", "q0"]
    assert "policy gets wrong" in picked[2].reason
    assert "question 1 of 3 of kind “b”" in picked[3].reason


def test_a_second_look_and_its_price_are_shown_where_there_was_one(
    context: StageContext, tmp_path: Path
) -> None:
    assert "Second look" not in page(context)
    changed = variant(context, tmp_path, "annotate")
    path = changed.inputs["annotate"] / "annotations.jsonl"
    looks = [SecondLook.NEEDS_ZOOM, SecondLook.NEEDS_ZOOM, SecondLook.EASY]
    looked = [
        annotation.model_copy(update={"look": looks[number] if number < 3 else None})
        for number, annotation in enumerate(read_jsonl(path, Annotation))
    ]
    write_jsonl(path, looked)
    costs = {"usd": 1.25, "saved_usd": 0.5, "requests": 1234.0}
    run(replace(changed, costs={"annotate": costs}))
    shown = page(changed)
    assert "Second look" in shown
    for words, value in [("paid, US dollars", "1.2500"), ("answers paid for", "1,234")]:
        assert re.search(rf"{words}</th>\s*<td class=\"n\">{value}<", shown)
    table = look_table(read_material(changed.inputs))
    assert table is not None
    assert [sum(row[1] for row in table["rows"]), sum(row[2] for row in table["rows"])] == [
        2,
        1,
    ]


def test_a_wrong_answer_already_shown_is_not_added_twice() -> None:
    picked = choose(asked("a", "a", "a"), {"q0": False, "q1": True, "q2": False}, 1)
    assert [choice.query.id for choice in picked] == ["q0"]


def test_kinds_that_need_zooming_come_first() -> None:
    right = {f"q{n}": True for n in range(4)}
    picked = choose(asked("a", "b", "b", "c"), right, 3, first=["b"])
    assert [choice.query.id for choice in picked] == ["q1", "q0", "q3"]


def test_kinds_without_an_example_add_nothing() -> None:
    picked = choose(asked("a", "b"), {"q0": True, "q1": False}, 1)
    assert [choice.query.id for choice in picked] == ["q0"]
    assert choose(asked("a"), {"q0": False}, 0) == []
