"""HR-Bench: four rows are one question, in scores, intervals, tests and on the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmark_result import facts_of
from row_folders import Rows, run, said, seeds

from pixel_core.evaluation.page.checks import counted, data_check, notices
from pixel_core.evaluation.page.tables import kind_table, score_table
from pixel_core.evaluation.results import BenchmarkResult
from pixel_core.evaluation.row_answers import asked_questions
from pixel_core.records import Query, Seed

OPTIONS = ("7", "1", "2", "3")


def turned(questions: int, rows: int = 4) -> list[Seed]:
    """Each question in four rows with its options turned; the first half of kind "single"."""
    made = []
    for place, seed in enumerate(seeds(questions * rows)):
        number, turn = divmod(place, rows)
        words = {
            "question": f"which digit is on card {number}?",
            "choices": OPTIONS[turn:] + OPTIONS[:turn],
            "kind": "single" if number < questions / 2 else "cross",
        }
        made.append(seed.model_copy(update=words))
    return made


def scored(made: Rows, **benchmarks) -> BenchmarkResult:
    context = made.context(**benchmarks)
    run(context, made.benchmark)
    return BenchmarkResult.model_validate_json((context.out / "scores.json").read_bytes())


def answered(root: Path, right: Callable[[int], bool], benchmark: str = "hrbench_4k") -> Rows:
    """40 questions in 160 rows; ``right``: of a row's place."""
    made = Rows(root, benchmark, turned(40))
    made.answer("base", lambda place, _: said("7" if place // 4 < 20 else "1"))
    made.answer("policy", lambda place, _: said("7" if right(place) else "1"))
    return made


def test_four_turns_are_one_question(tmp_path: Path) -> None:
    made = answered(tmp_path, lambda place: place // 4 < 26 or place % 4 == 0)
    result = scored(made, models=["base", "policy"])
    base, policy = result.rows
    assert (policy.n, policy.asked) == (40, 160)
    assert policy.score.value == pytest.approx((26 * 4 + 14) / 160), "the mean over all rows"
    assert {kind: (part.n, part.asked) for kind, part in policy.by.items()} == {
        "cross": (20, 80),
        "single": (20, 80),
    }
    # As wide as that of forty answers (0.31), and not as that of 160 (0.15).
    assert base.score.high - base.score.low == pytest.approx(0.31, abs=0.03)
    (pair,) = result.pairs
    assert (pair.n, len(pair.won), len(pair.lost)) == (40, 20, 0)
    assert pair.won[:2] == ("q080", "q084"), "a question's first row that shows it"
    assert pair.test == "paired sign-flip permutation"
    assert score_table(result, 0.95, {}).rows[1][3] == "40 x 4"
    assert kind_table(result, 0.95).rows[0][4] == "20 x 4"


def test_turns_of_one_question_are_no_evidence_against_each_other(tmp_path: Path) -> None:
    """Four questions won in all four turns and none lost: p is 2/16, not 2/2^16."""
    result = scored(
        answered(tmp_path, lambda place: place // 4 < 24), models=["base", "policy"]
    )
    assert result.pairs[0].p_value == pytest.approx(1 / 8, abs=0.05)


def test_gain_and_harm_are_over_questions(tmp_path: Path) -> None:
    made = Rows(tmp_path, "hrbench_8k", turned(40))
    made.answer("policy", lambda place, _: said("7" if place % 4 else "1"))
    made.answer("policy_notool", lambda place, _: said("7" if place % 4 < 2 else "1"))
    (effect,) = scored(made, notool=True, models=["policy"]).tools
    assert (effect.n, effect.gain.value, effect.harm.value) == (40, 0.5, 0.25)
    assert effect.difference.value == pytest.approx(effect.gain.value - effect.harm.value)


def test_the_probe_counts_questions(tmp_path: Path) -> None:
    made = Rows(tmp_path, "hrbench_4k", turned(40))
    made.answer(
        "policy",
        lambda place, _: said("7" if place // 4 < 30 else "1", operations=1),
        probe=lambda place, _: said("7" if place // 4 < 10 else "1"),
    )
    probe = scored(made, models=["policy"]).rows[0].probe
    assert probe is not None
    assert (probe.n, probe.before, probe.after) == (160, 0.25, 0.75)
    # Twenty of forty questions: twice as far as 160 independent ones would reach.
    assert probe.gain.high - probe.gain.low == pytest.approx(0.31, abs=0.04)


def test_questions_put_once_are_exact_also_of_a_part(tmp_path: Path) -> None:
    """A limit may take one turn of each question: then right or wrong is all there is."""
    made = Rows(tmp_path, "hrbench_4k", turned(40, rows=1))
    made.answer("base", lambda place, _: said("7" if place < 20 else "1"))
    made.answer("policy", lambda place, _: said("7" if place < 30 else "1"))
    result = scored(made, models=["base", "policy"])
    assert result.pairs[0].test == "exact McNemar"
    assert (result.rows[0].n, result.rows[0].asked) == (40, 40)
    assert score_table(result, 0.95, {}).rows[0][3] == "40"


def test_what_makes_rows_one_question() -> None:
    first, *others = (Query.from_seed(seed) for seed in turned(2))
    rows = [first, *others]
    assert asked_questions(rows, turned=True).turns == ((0, 1, 2, 3), (4, 5, 6, 7))
    assert len(asked_questions(rows, turned=False).turns) == 8, "other benchmarks' rows"
    picture = first.pictures[0].model_copy(update={"sha256": "1" * 64})
    for change in (
        {"question": "which letter?"},
        {"choices": ("7", "1", "2", "4")},
        {"pictures": (picture,)},
    ):
        odd = [first.model_copy(update={"id": "odd", **change}), *rows]
        assert asked_questions(odd, turned=True).turns[0] == (0,)


def test_rows_of_one_question_may_lie_apart() -> None:
    """All first turns, then all second ones: nobody says in which order the file has them."""
    rows = [Query.from_seed(seed) for seed in turned(3)]
    apart = sorted(rows, key=lambda query: int(query.id[1:]) % 4)
    questions = asked_questions(apart, turned=True)
    assert questions.turns == ((0, 3, 6, 9), (1, 4, 7, 10), (2, 5, 8, 11))
    assert questions.kinds["single"].tolist() == [0, 1]
    values_r = np.arange(12.0)
    assert questions.means(values_r).tolist() == [4.5, 5.5, 6.5]
    assert questions.of_row["q005"] == 1


def test_the_page_and_the_command_line_say_what_counts(tmp_path: Path) -> None:
    result = scored(answered(tmp_path / "a", lambda place: True), models=["base", "policy"])
    assert counted(result).startswith("40 x 4: 40 questions, put 160 times")
    facts = facts_of("hrbench_4k", {"single": 80, "cross": 80}).model_dump()
    whole = result.model_copy(update={"data": {**facts, "grader": "choice"}})
    assert data_check(whole).facts[-1] == counted(result)
    assert notices(whole) == []
    assert data_check(whole).facts[-2].startswith("160 rows asked")
    assert data_check(whole).counts.title == "Rows"

    made = Rows(tmp_path / "b", "hrbench_4k", turned(40)[1:])
    made.answer("policy", lambda place, _: said("7"))
    part = scored(made, models=["policy"])
    assert score_table(part, 0.95, {}).rows[0][3] == "40 (asked 159)"
    facts = facts_of("hrbench_4k", {"single": 79, "cross": 80}).model_dump()
    (notice,) = notices(part.model_copy(update={"data": {**facts, "grader": "choice"}}))
    assert "Its 159 rows are not 4 turns of each question" in notice


def test_a_benchmark_without_turns_needs_no_words_on_them(tmp_path: Path) -> None:
    made = Rows(tmp_path, "drawn", turned(10))
    made.answer("policy", lambda place, _: said("7"))
    result = scored(made, models=["policy"])
    assert (result.rows[0].n, counted(result)) == (40, "")
