"""The scores' stage, from answer folders on disk to ``scores.json``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from row_folders import Rows, run, said, seeds

from pixel_core.config import BenchmarkName
from pixel_core.errors import DataError
from pixel_core.evaluation import scores as benchmark_scores
from pixel_core.evaluation.page.tables import read_table
from pixel_core.evaluation.results import BenchmarkResult, GradedAnswer, ReadBy
from pixel_core.records import Rollout, Step, StopReason, read_jsonl, write_jsonl
from pixel_core.rewards.graders import upstream_code
from pixel_core.rewards.graders.grader import ReadingRule
from pixel_core.rewards.graders.maths_judge import Judge
from pixel_core.workflow.stage import StageContext

BOTH = {"notool": True, "models": ["policy"]}


def scored(context: StageContext, benchmark: BenchmarkName = "drawn") -> BenchmarkResult:
    run(context, benchmark)
    return BenchmarkResult.model_validate_json((context.out / "scores.json").read_bytes())


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """40 questions. With operations 32 are right, alone 12: 24 gained, 4 harmed."""
    made = Rows(tmp_path, "drawn", seeds(40, ("small", "big")))
    made.answer(
        "policy",
        lambda place, _: said("7" if place < 32 else "1", operations=place % 2),
        probe=lambda place, _: said("7" if place < 4 else ""),
    )
    made.answer(
        "policy_notool",
        lambda place, _: said(
            "7" if place < 8 or place >= 36 else "",
            stop=StopReason.TRUNCATED if place == 20 else None,
        ),
    )
    return made


def test_rows_tools_and_pairs(rows: Rows) -> None:
    result = scored(rows.context(**BOTH))
    assert [row.row for row in result.rows] == ["policy", "policy_notool"]
    policy, alone = result.rows
    assert (policy.n, policy.score.value, policy.model) == (40, 0.8, "policy")
    # Wilson's interval of 32 out of 40, worked out by hand from its formula.
    assert (policy.score.low, policy.score.high) == pytest.approx((0.6524, 0.8950), abs=1e-4)
    assert (policy.rapr, policy.operations, policy.op_error_rate) == (0.5, 0.5, 0.0)
    assert (policy.operations_offered, alone.operations_offered) == (True, False)
    assert (alone.truncated, alone.unanswered) == (1 / 40, 28 / 40)
    assert {kind: part.n for kind, part in policy.by.items()} == {"big": 20, "small": 20}
    assert policy.by["big"].rapr == 1.0

    (effect,) = result.tools
    assert (effect.model, effect.n) == ("policy", 40)
    assert (effect.gain.value, effect.harm.value) == (24 / 40, 4 / 40)
    assert effect.difference.value == pytest.approx(20 / 40)
    assert effect.gain.low < 0.6 < effect.gain.high
    assert 0 < effect.harm.low < 0.1 < effect.harm.high

    (pair,) = result.pairs
    assert (pair.a, pair.b, pair.test) == ("policy", "policy_notool", "exact McNemar")
    assert pair.won == ("q036", "q037", "q038", "q039")
    assert len(pair.lost) == 24
    assert pair.lost[0] == "q008"
    # Twice the tail of a fair coin: at most 4 heads in 28 throws.
    assert pair.p_value == effect.p_value == pytest.approx(2 * 24158 / 2**28)


def test_the_rule_that_read_each_answer_is_kept(rows: Rows) -> None:
    context = rows.context(**BOTH)
    policy, alone = scored(context).rows
    assert policy.read == {ReadingRule.BOX: ReadBy(share=1, score=0.8)}
    assert alone.read == {
        ReadingRule.BOX: ReadBy(share=12 / 40, score=1),
        ReadingRule.NONE: ReadBy(share=28 / 40, score=0),
    }
    graded = list(read_jsonl(context.out / "graded.jsonl", GradedAnswer))
    assert len(graded) == 80
    of_alone = [answer for answer in graded if answer.row == "policy_notool"]
    assert [answer.query_id for answer in of_alone] == [f"q{n:03}" for n in range(40)]
    assert [answer.score for answer in of_alone[:9]] == [1] * 8 + [0]
    assert of_alone[20].rule is ReadingRule.NONE, "cut by the token limit"


def test_how_much_rests_on_free_text_is_told(tmp_path: Path) -> None:
    made = Rows(tmp_path, "tallyqa_complex", seeds(8, answer="3"))
    turns = ["The answer is 3."] * 2 + ["3 people are wearing hats.", "Not sure.", "4 dogs"]
    made.answer("policy", lambda place, _: said("3" if place < 3 else ""))
    folder = made.of("policy") / "answers.jsonl"
    answers = list(read_jsonl(folder, Rollout))
    answers[3:] = [
        answer.model_copy(update={"steps": (Step(text=turn),)})
        for answer, turn in zip(answers[3:], turns, strict=True)
    ]
    write_jsonl(folder, answers)
    result = scored(made.context(), "tallyqa_complex")
    (row,) = result.rows
    assert {rule: part.share * 8 for rule, part in row.read.items()} == {
        ReadingRule.BOX: 3,
        ReadingRule.STATEMENT: 2,
        ReadingRule.TURN: 1,
        ReadingRule.SENTENCE: 1,
        ReadingRule.NONE: 1,
    }
    assert row.read[ReadingRule.TURN].score == 0
    table = read_table(result)
    names = [column.title for column in table.columns]
    (cells,) = table.rows
    told = dict(zip(names, (cell.replace("\xa0", " ") for cell in cells), strict=True))
    assert told["box"] == "37.5 %"
    assert told["all free text"] == "50.0 %"
    assert told["score from it"] == "37.5 %", "of 75 % right, a half"
    assert "tag" not in told, "no answer was read there"


def test_the_probe_pairs_each_episode_with_its_own_end(rows: Rows) -> None:
    policy, alone = scored(rows.context(**BOTH)).rows
    assert alone.probe is None
    assert policy.probe is not None
    # Odd places looked: 20 of them, right before at 1 and 3, right after up to 31.
    assert (policy.probe.n, policy.probe.before, policy.probe.after) == (20, 0.1, 0.8)
    assert policy.probe.gain.value == pytest.approx(0.7)
    assert 0.4 < policy.probe.gain.low < 0.7 < policy.probe.gain.high < 0.9


def test_settings_are_said_once_and_differences_by_row(rows: Rows) -> None:
    settings = scored(rows.context(**BOTH)).settings
    assert settings["scoring"]["grader"] == "strict"
    assert settings["answers"]["dialogue"] == {"max": 3}
    assert settings["rows"]["policy"]["dialogue"] == {"operations": "offered"}
    assert settings["rows"]["policy_notool"]["dialogue"] == {"operations": "none"}
    digests = {one["prompt"]["picture"] for one in settings["rows"].values()}
    assert len(digests) == 2, "other words, another digest"


def test_the_same_answers_give_the_same_bytes(rows: Rows) -> None:
    context = rows.context(**BOTH)
    run(context, "drawn")
    first = (context.out / "scores.json").read_bytes()
    run(context, "drawn")
    assert (context.out / "scores.json").read_bytes() == first
    assert b"NaN" not in first


def test_a_score_by_another_rule_says_whose_it_is(tmp_path: Path) -> None:
    made = Rows(tmp_path, "infographicsvqa", seeds(6, answer="7 percent"))
    made.answer("policy", lambda place, _: said("7 percent" if place < 3 else "7 percents"))
    by_rule = {
        preset: scored(made.context(scoring={"graders": preset}), "infographicsvqa")
        for preset in ("published", "strict")
    }
    published, strict = by_rule["published"], by_rule["strict"]
    assert (published.metric, published.grader) == ("ANLS", "anls")
    # One edit in ten characters: 0.9 each.
    assert published.rows[0].score.value == pytest.approx((3 + 3 * 0.9) / 6)
    assert (strict.metric, strict.grader) == ("accuracy by the strict rule", "strict")
    assert strict.rows[0].score.value == 0.5


def test_the_originals_matcher_is_labelled(tmp_path: Path) -> None:
    made = Rows(tmp_path, "drawn", seeds(2))
    made.answer("policy", lambda place, _: said("7"))
    result = scored(made.context(scoring={"graders": "upstream_code"}))
    assert (result.grader, result.metric) == (
        "upstream_code",
        "accuracy by the original's matcher",
    )
    assert result.rows[0].score.value == 1.0


@pytest.mark.ci
def test_a_comparison_without_an_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine may decide it, so the score says that it was not."""
    hasty = Judge(seconds=1.0)
    for module in (upstream_code, benchmark_scores):
        monkeypatch.setattr(module, "JUDGE", hasty)
    made = Rows(tmp_path, "drawn", seeds(2))
    made.answer("policy", lambda place, _: said("9^{9^{9^9}}" if place else "7"))
    result = scored(made.context(scoring={"graders": "upstream_code"}))
    hasty.close()
    assert set(result.undecided) == {"timeout"}
    assert result.rows[0].score.value == 0.5
    assert scored(made.context()).undecided == {}


def test_graded_scores_are_compared_as_they_are(tmp_path: Path) -> None:
    """ANLS: right from a half where right and wrong are asked for, graded everywhere else."""
    made = Rows(tmp_path, "infographicsvqa", seeds(30, answer="abcdefghij"))
    made.answer("policy", lambda place, _: said("abcdefghij" if place < 20 else "abcdefxxxx"))
    made.answer("policy_notool", lambda place, _: said("abcdefghix" if place < 10 else "no"))
    result = scored(made.context(**BOTH), "infographicsvqa")
    policy, alone = result.rows
    assert policy.score.value == pytest.approx((20 + 10 * 0.6) / 30)
    assert alone.score.value == pytest.approx(10 * 0.9 / 30)
    (effect,) = result.tools
    assert (effect.gain.value, effect.harm.value) == (20 / 30, 0.0)
    assert effect.difference.value == pytest.approx(policy.score.value - alone.score.value)
    (pair,) = result.pairs
    assert pair.test == "paired sign-flip permutation"
    assert len(pair.lost) == 30, "also where both count as right"
    assert pair.p_value == pytest.approx(1 / 301)


def test_another_row_does_not_change_how_a_row_is_measured(tmp_path: Path) -> None:
    """ANLS that happens to be 0 and 1 alone, and beside a row with one score in between."""
    made = Rows(tmp_path, "infographicsvqa", seeds(60, answer="abcdefghij"))
    made.answer("base", lambda place, _: said("abcdefghij" if place < 39 else "no"))
    made.answer("policy", lambda place, _: said("abcdefghix" if place == 0 else "no"))
    alone = scored(made.context(models=["base"]), "infographicsvqa").rows[0]
    beside = scored(made.context(models=["base", "policy"]), "infographicsvqa").rows[0]
    assert alone.score == beside.score
    assert alone.by == beside.by


def test_one_question_a_task_is_no_certainty(tmp_path: Path) -> None:
    """MVBench by a limit of twenty: five tasks won, none lost."""
    made = Rows(tmp_path, "mvbench", seeds(20, [f"task{n:02}" for n in range(20)]))
    made.answer("base", lambda place, _: said("7" if place < 10 else "1"))
    made.answer("policy", lambda place, _: said("7" if place < 15 else "1"))
    (pair,) = scored(made.context(models=["base", "policy"]), "mvbench").pairs
    assert pair.difference.value == 0.25
    assert pair.difference.low < 0.1 < 0.4 < pair.difference.high


def test_the_mean_of_kinds_counts_small_kinds_as_large_ones(tmp_path: Path) -> None:
    made = Rows(tmp_path, "mvbench", seeds(40, ("few", "many", "many", "many")))
    made.answer("policy", lambda place, _: said("7" if place % 4 == 0 else "1"))
    made.answer("policy_notool", lambda place, _: said("1"))
    result = scored(made.context(**BOTH), "mvbench")
    assert result.rows[0].score.value == 0.5, "over questions it would be 0.25"
    assert result.rows[0].by["few"].score.value == 1.0
    assert result.tools[0].gain.value == 0.25, "a share of all questions"
    assert result.tools[0].difference.value == pytest.approx(0.5)
    assert result.pairs[0].difference.value == pytest.approx(-0.5)


def test_several_answers_a_question_are_averaged_first(tmp_path: Path) -> None:
    made = Rows(tmp_path, "drawn", seeds(20))
    made.answer("policy", lambda place, sample: said("7" if sample < 3 else "1"), samples=4)
    answers = {"samples": 4, "sampling": {"temperature": 1.0}}
    result = scored(made.context(answers=answers))
    assert result.rows[0].n == 20
    assert result.rows[0].score.value == 0.75
    assert result.rows[0].probe is None


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


def test_what_does_not_fit_is_refused(rows: Rows) -> None:
    context = rows.context(**BOTH)
    answers = rows.of("policy") / "answers.jsonl"
    kept = lines(answers)

    answers.write_text("".join(kept[:-1]))
    with pytest.raises(DataError, match=r"0 answers to 'q039' where 1 are needed"):
        run(context, "drawn")
    answers.write_text("".join([*kept[:-1], kept[0]]))
    with pytest.raises(DataError, match=r"sample 0 of 'q000' is there twice"):
        run(context, "drawn")
    answers.write_text("".join(kept))

    probe = rows.of("policy") / "probe.jsonl"
    probe.write_text("".join(lines(probe)[1:]))
    with pytest.raises(DataError, match=r"19 answers before a look where 20 episodes"):
        run(context, "drawn")

    queries = rows.of("policy_notool") / "queries.jsonl"
    queries.write_text(queries.read_text().replace('"answers":["7"]', '"answers":["8"]', 1))
    probe.write_text("")
    with pytest.raises(DataError, match=r"answers before a look"):
        run(context, "drawn")
    (rows.of("policy") / "settings.json").write_text('{"samples": 1, "probe": false}')
    with pytest.raises(DataError, match=r"policy_notool answered 40 .* \(1 differ.*'q000'"):
        run(context, "drawn")


def test_unequal_samples_an_empty_benchmark_and_lost_facts_are_refused(tmp_path: Path) -> None:
    made = Rows(tmp_path / "a", "drawn", seeds(3))
    made.answer("policy", lambda place, _: said("7"))
    made.answer("policy_notool", lambda place, _: said("7"), samples=2)
    with pytest.raises(DataError, match="policy gave 1 answers a question and policy_notool 2"):
        run(made.context(**BOTH), "drawn")
    (made.of("policy") / "settings.json").write_text("[]")
    with pytest.raises(DataError, match="is not the settings of answers"):
        run(made.context(**BOTH), "drawn")
    empty = Rows(tmp_path / "b", "drawn", [])
    with pytest.raises(DataError, match="there is no test question"):
        run(empty.context(), "drawn")
    lost = Rows(tmp_path / "c", "drawn", seeds(1))
    lost.answer("policy", lambda place, _: said("7"))
    (tmp_path / "c" / "benchmark_drawn" / "benchmark.json").write_text("not json")
    with pytest.raises(DataError, match="does not say what the benchmark is"):
        run(lost.context(), "drawn")


def test_metrics_are_json_and_name_every_row(rows: Rows) -> None:
    metrics = run(rows.context(**BOTH), "drawn")
    assert json.loads(json.dumps(metrics)) == metrics
    assert (metrics["policy"], metrics["policy_notool"]) == (0.8, 0.3)
    assert (metrics["policy_tool_gain"], metrics["policy_tool_harm"]) == (0.6, 0.1)
