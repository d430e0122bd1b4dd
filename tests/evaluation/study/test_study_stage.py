"""The stage on artifacts in their real form: ``study.json`` and the page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixel_core.config import PipelineConfig
from pixel_core.errors import DataError
from pixel_core.evaluation.study.bands import band_of
from pixel_core.evaluation.study.matrix import CellSeeds
from pixel_core.evaluation.study.results import RunResult
from pixel_core.evaluation.study.study import run
from pixel_core.records import (
    Box,
    Cue,
    Picture,
    Provenance,
    Query,
    Rollout,
    Seed,
    Split,
    Step,
    StopReason,
    write_jsonl,
)
from pixel_core.workflow.stage import SilentProgress, StageContext

PICTURE = Picture(member="p.png", width=8, height=8, sha256="0" * 64)
KINDS = ("digit_small", "digit_big", "count", "exists")
HOSTILE = "<script>alert(1)</script>"
ARMS = ("full", "no_curiosity", "no_warm_start", "own")
PLACE = {"machine": "CPU 1, 2 cores", "instruction_set": "AVX2", "instruction_limits": ""}
PROVENANCE = {
    **PLACE,
    "quick": False,
    "command": f"pixel study {HOSTILE}",
    "commits": ["abc"],
    "machines": ["2 CPUs"],
    "versions": {"python": ["3.11"]},
    "span_seconds": 1800.0,
    "stages": {"rl": {"count": 8, "seconds": 3000.0}},
}


def answers(folder: Path, right: float, used: float, seed: int, questions: int = 24) -> None:
    """Answers of which ``right`` are right (less where an operation is needed) and ``used``
    use an operation."""
    draw = np.random.default_rng(seed)
    folder.mkdir()
    queries = [
        Query(id=f"q{n}", question="?", pictures=(PICTURE,), answers=("1",), kind=KINDS[n % 4])
        for n in range(questions)
    ]
    write_jsonl(folder / "queries.jsonl", queries)
    for decoding, samples in (("greedy", 1), ("sampled", 2)):
        rollouts = [
            Rollout(
                query_id=query.id,
                sample=sample,
                steps=(Step(text="done"),),
                stop=StopReason.ANSWERED,
                answer="1",
                correct=bool(draw.random() < right),
                operations=int(draw.random() < used),
                failed_operations=int(draw.random() < 0.1),
                tokens=3,
            )
            for query in queries
            for sample in range(samples)
        ]
        write_jsonl(folder / f"{decoding}.jsonl", rollouts)
    (folder / "settings.json").write_text(json.dumps({"samples": 2}))


def seeds(folder: Path, questions: int = 24) -> None:
    """The questions again, those for digits with the place of their evidence."""
    folder.mkdir()
    write_jsonl(
        folder / "seeds.jsonl",
        (
            Seed(
                id=f"q{n}",
                split=Split.TEST,
                question="?",
                answers=("1",),
                pictures=(PICTURE,),
                cue=Cue(box=Box(x1=2, y1=2, x2=4, y2=4)) if n % 4 < 2 else None,
                kind=KINDS[n % 4],
                provenance=Provenance(source="drawn", digest="0" * 64),
            )
            for n in range(questions)
        ),
    )


def curve(folder: Path, steps: int, end: float) -> None:
    folder.mkdir()
    rows: list[dict[str, float]] = []
    for step in range(1, steps + 1):
        at = 0.2 + (end - 0.2) * step / steps
        rows.append(
            {"step": step, "rapr": at, "accuracy": at, "op_error_rate": 0.1, "operations": at}
        )
        rows[-1] |= {"entropy": 0.2 - at / 10, "cue_rapr": at}
        rows[-1]["cue_accuracy_without_operation"] = 0.5
        if at > 0.1:
            rows[-1] |= {"operation_hits": 0.8, "crop_read": at, "operation_pays": at - 0.5}
            rows[-1]["cue_accuracy_with_operation"] = at
        if at > 0.1:  # a mean over nothing is left out
            rows[-1]["accuracy_with_operation"] = at
        rows[-1]["accuracy_without_operation"] = 0.5
    (folder / "curve.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> StageContext:
    return write_cells(tmp_path_factory.mktemp("study"))


def write_cells(root: Path) -> StageContext:
    config = PipelineConfig.model_validate(
        {
            "name": "trap",
            "study": {
                "arms": {name: {"text": f"{name} {HOSTILE}"} for name in ARMS},
                "warm_start_seeds": [0, 1],
                "rl_seeds": [5],
                "resamples": 100,
                "departures": [
                    {"setting": "alpha", "here": "1", "paper": "0.5", "why": HOSTILE}
                ],
            },
        }
    )
    inputs = {"ingest": root / "ingest"}
    seeds(inputs["ingest"])
    for warm_start in (0, 1):
        inputs[f"start {warm_start}"] = root / f"start{warm_start}"
        answers(inputs[f"start {warm_start}"], 0.5, 0.25, 90 + warm_start)
        for place, (arm, end) in enumerate(zip(ARMS, (0.9, 0.0, 0.0, 0.6), strict=True)):
            name = f"{arm} {warm_start}"
            inputs[f"rl {name}"] = root / f"rl-{arm}-{warm_start}"
            # One run was stopped early by a guard.
            curve(inputs[f"rl {name}"], 20 if name == "own 1" else 40, end)
            inputs[f"answers {name}"] = root / f"answers-{arm}-{warm_start}"
            right = 0.95 if arm == "full" else 0.4
            answers(inputs[f"answers {name}"], right, end, 10 * place + warm_start)
    out = root / "out"
    out.mkdir()
    return StageContext(config, inputs, out, work=None, progress=SilentProgress())  # type: ignore[arg-type]


def rows() -> list[dict[str, Any]]:
    return [
        {
            "arm": arm,
            "seeds": [0, warm_start, 5],
            "rl": f"rl {arm} {warm_start}",
            "answers": f"answers {arm} {warm_start}",
            "start": f"start {warm_start}",
            # Both warm-start seeds lead this arm to one run.
            "rl_key": arm if arm == "no_warm_start" else f"{arm} {warm_start}",
            "place": PLACE,
            "rl_metrics": {"stopped_by": "entropy_collapse"} if arm == "own" else {},
            "warm_start_metrics": {"selected_at": 60, "validation_rapr": 0.21, "steps": 140},
        }
        for warm_start in (0, 1)
        for arm in ARMS
    ]


class Words(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.words: list[str] = []
        self.ids: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "href"} and value and value[0] != "#":
                self.fetched.append(value)
            if name == "id" and value:
                self.ids.append(value)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_numbers_and_page_of_a_study(context: StageContext) -> None:
    metrics = run(context, rows(), PROVENANCE)
    assert metrics["1a"] == "shown"
    assert metrics["1b"] == "shown"
    assert metrics["3b"] == "shown"
    assert metrics["3a"] == "not shown"  # the arm was not run
    values = json.loads((context.out / "study.json").read_text())
    first = values["runs"][0]
    seeds = [first[f"{kind}_seed"] for kind in ("base_model", "warm_start", "rl")]
    assert (first["arm"], seeds) == ("full", [0, 0, 5])
    sampled = [
        json.loads(line) for line in (context.inputs["answers full 0"] / "sampled.jsonl").open()
    ]
    assert first["accuracy_sampled"] == pytest.approx(np.mean([r["correct"] for r in sampled]))
    assert first["rapr"] == pytest.approx(np.mean([r["operations"] > 0 for r in sampled]))
    digits = [r["correct"] for r in sampled if int(r["query_id"][1:]) % 4 < 2]
    assert first["digits_sampled"] == pytest.approx(np.mean(digits))
    assert set(first["by"]) == set(KINDS)
    # Half of the questions have a place, two samples each; nobody zoomed in these steps.
    assert first["diagnosis"]["answers"] == 24
    assert (first["diagnosis"]["used"], first["diagnosis"]["hits"]) == (0, None)
    assert first["diagnosis"]["accuracy_without"] == pytest.approx(first["digits_sampled"])
    assert first["warm_start_selected"] is None
    assert values["arms"]["no_warm_start"]["distinct_runs"] == 1
    assert set(values["differences"]) == {"no_curiosity", "no_warm_start", "own"}

    page = (context.out / "study.html").read_text()
    found = Words(page)
    text = re.sub(r"\s+", " ", " ".join(found.words))
    assert "script" not in found.tags
    assert found.fetched == ["data:,"]
    assert len(found.ids) == len(set(found.ids)), "ids of several charts must not collide"
    assert text.count(HOSTILE) >= len(ARMS) + 2, "shown, word for word"
    for words in (
        "2 cells are 1 distinct runs",
        "stopped by entropy collapse",
        "step 60, the first at which the rule held",
        "Curiosity wins on",
        "30 min from the start",
        "What zooming pays",
        "Other arms, all runs",
        "Where the operation succeeds, and where it fails",
    ):
        assert words in text, words


def test_a_rare_operations_accuracy_is_pooled_or_left_out() -> None:
    """Steps without a call lend their place to those around; one in a thousand is no one."""
    often = [{"rapr": 0.04, "accuracy_with_operation": 1.0}, {"rapr": 0.0}] * 30
    often += [{"rapr": 0.04, "accuracy_with_operation": 0.0}, {"rapr": 0.0}] * 30
    found = band_of("with", 0, [result(often)], "accuracy_with_operation")
    assert found is not None
    assert found.values[0, 20] == pytest.approx(1.0)
    assert found.values[0, -20] == pytest.approx(0.0)
    rare = [{"rapr": 0.001, "accuracy_with_operation": 1.0}] * 60
    assert band_of("with", 0, [result(rare)], "accuracy_with_operation") is None
    short = band_of("all", 0, [result(rare), result(often)], "rapr")
    assert short is not None
    assert np.isnan(short.values[0, 60:]).all(), "a run that ended early has no values after"


def result(rows: list[dict[str, float]]) -> RunResult:
    """A run of which only the curve matters."""
    return RunResult("full", CellSeeds(0, 0, 0), start=None, end=None, key="", curve=rows)  # type: ignore[arg-type]


def test_the_same_cells_give_the_same_bytes(context: StageContext, tmp_path: Path) -> None:
    run(context, rows(), PROVENANCE)
    first = (context.out / "study.html").read_bytes(), (context.out / "study.json").read_bytes()
    run(context, rows(), PROVENANCE)
    again = (context.out / "study.html").read_bytes(), (context.out / "study.json").read_bytes()
    assert first == again


def test_cells_that_answered_other_questions_are_refused(tmp_path: Path) -> None:
    context = write_cells(tmp_path)
    odd = tmp_path / "odd"
    answers(odd, 0.5, 0.5, 1, questions=20)
    inputs = {**context.inputs, "answers own 1": odd}
    other = StageContext(context.config, inputs, context.out, context.work, context.progress)
    with pytest.raises(DataError, match="different questions"):
        run(other, rows(), PROVENANCE)


def test_claims_are_judged_again_without_the_seeds_that_missed_their_rule(
    context: StageContext,
) -> None:
    run(context, rows(), PROVENANCE)
    whole = json.loads((context.out / "study.json").read_text())
    assert whole["held_where_rule_met"] == []
    cells = rows()
    for row in cells:
        # Of one arm: its seed is left out of the others too.
        if row["seeds"][1] == 1 and row["arm"] == "full":
            row["warm_start_metrics"] = {"selected": False, "passed_at": 45, "steps": 140}
    run(context, cells, PROVENANCE)
    values = json.loads((context.out / "study.json").read_text())
    assert values["arms"]["full"]["missed_rule"] == "rule missed in 1 of 2"
    assert [claim["verdict"] for claim in values["claims"]] == [
        claim["verdict"] for claim in whole["claims"]
    ]
    for claim in values["claims"]:
        before, found, after = claim["evidence"].partition(
            " Without the seeds that missed it: "
        )
        assert found
        assert "never met its rule" in before or "full" not in claim["claim"]
        assert "never met its rule" not in after
    trapped = next(claim for claim in values["claims"] if claim["claim"].startswith("1a."))
    assert "the one run ends" in trapped["evidence"]
    # The other way round: with the same marks everywhere, nothing is left to judge.
    for row in cells:
        row["warm_start_metrics"] = {"selected": False}
    run(context, cells, PROVENANCE)
    values = json.loads((context.out / "study.json").read_text())
    assert values["held_where_rule_met"] == []


def test_a_study_without_the_full_arm_marks_what_missed_its_rule(
    context: StageContext,
) -> None:
    cells = [row for row in rows() if row["arm"] != "full"]
    for row in cells:
        if row["seeds"][1] == 1:
            row["warm_start_metrics"] = {"selected": False, "passed_at": 45, "steps": 140}
            row["place"] = PLACE | {"instruction_set": "AVX512"}
    study = context.config.study
    arms = {name: arm for name, arm in study.arms.items() if name != "full"}
    ran = context.config.model_copy(update={"study": study.model_copy(update={"arms": arms})})
    run(replace(context, config=ran), cells, PROVENANCE | {"quick": True})
    values = json.loads((context.out / "study.json").read_text())
    assert "--quick" in values["sentences"]["lead"][0]
    assert {arm["missed_rule"] for arm in values["arms"].values()} == {"rule missed in 1 of 2"}
    assert [run["instruction_set"] for run in values["runs"]] == ["AVX2"] * 3 + ["AVX512"] * 3
    page = (context.out / "study.html").read_text()
    # In the list of arms and each table of arms; by base model; by warm start; by run.
    mark = '<span class="chip bad">rule missed in 1 of 2</span>'
    assert page.count(f"no_warm_start {mark}") == 4
    assert page.count('1 <span class="chip bad">rule missed</span>') == 1 + 3
    assert "its window passed at step 45: the last of 140 steps" in page
    assert "CPU 1, 2 cores, AVX512" in page
