"""Each score says where its answer was read: marked by the model, in free text, or nowhere."""

from __future__ import annotations

import pytest
from graded_rollouts import ask, said
from scored_answers import scored_answers

from pixel_core.records import StopReason
from pixel_core.rewards.graders.grader import FREE_TEXT, ReadingRule
from pixel_core.rewards.graders.registry import GRADERS

QUICK = [name for name in GRADERS if name not in ("maths", "upstream_code")]
ANIMALS = ("dog", "cat", "red bird")

MARKED = [
    (r"\boxed{B}", ReadingRule.BOX),
    (r"<answer>\boxed{B}</answer>", ReadingRule.BOX),
    (r"<answer>B</answer> \boxed{B}", ReadingRule.BOX),
    ("<answer>B</answer>", ReadingRule.TAG),
    ("<|begin_of_box|>B<|end_of_box|>", ReadingRule.TAG),
    (r"<think>\boxed{A}</think><answer>B</answer>", ReadingRule.TAG),
]
UNREAD = ["", "<think>B", r"\boxed{B", r"\boxed{}", "<answer></answer>"]
CHOICES = [
    ("The answer is B.", ReadingRule.STATEMENT),
    ("B is the correct answer.", ReadingRule.STATEMENT),
    ("答案是B", ReadingRule.STATEMENT),
    ("The answer is B.\nA", ReadingRule.STATEMENT),
    ("B", ReadingRule.TURN),
    ("**B. cat**", ReadingRule.TURN),
    ("B\n\nIt sits on the left.", ReadingRule.LINE),
    ("It sits on the left.\n\ncat", ReadingRule.LINE),
    ("B, because it sits there.", ReadingRule.SENTENCE),
    ("It is a cat. It sits there.", ReadingRule.SENTENCE),
    ("I cannot tell.", ReadingRule.NONE),
    ("B\nA", ReadingRule.NONE),
]
COUNTS = [
    ("The answer is 3.", ReadingRule.STATEMENT),
    ("3", ReadingRule.TURN),
    ("Three dogs.", ReadingRule.TURN),
    ("3只狗", ReadingRule.TURN),
    ("3\n\nThey sit on the left.", ReadingRule.LINE),
    ("There are 3 dogs.", ReadingRule.SENTENCE),
    ("3 people are wearing hats.", ReadingRule.SENTENCE),
    ("The street is wet. There are 3 dogs.", ReadingRule.SENTENCE),
    ("3 or 4", ReadingRule.NONE),
]
TEXTS = [
    ("The answer is Main Street.", ReadingRule.STATEMENT),
    ("Main Street", ReadingRule.TURN),
    ("I see a sign. I cannot read it.", ReadingRule.TURN),
]
EXPRESSIONS = [
    ("The answer is 0.5.", ReadingRule.STATEMENT),
    ("0.5", ReadingRule.TURN),
    ("It may be one half.", ReadingRule.NONE),
    (r"\boxed{0.5}", ReadingRule.BOX),
    ("<answer>0.5</answer>", ReadingRule.TAG),
]


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize(("text", "rule"), MARKED)
def test_what_is_marked_is_read_there(name: str, text: str, rule: ReadingRule) -> None:
    assert GRADERS[name](ask("cat", choices=ANIMALS), said(text)).rule is rule


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("text", UNREAD)
def test_without_an_answer_no_rule_read_one(name: str, text: str) -> None:
    score = GRADERS[name](ask("cat", choices=ANIMALS), said(text))
    assert (score, score.rule) == (0, ReadingRule.NONE)


@pytest.mark.parametrize("name", QUICK)
def test_an_episode_that_was_cut_claims_nothing(name: str) -> None:
    cut = said("The answer is B.", stop=StopReason.TRUNCATED)
    assert GRADERS[name](ask("cat", choices=ANIMALS), cut).rule is ReadingRule.NONE


@pytest.mark.parametrize(("text", "rule"), CHOICES)
def test_where_an_option_is_read(text: str, rule: ReadingRule) -> None:
    assert GRADERS["choice"](ask("cat", choices=ANIMALS), said(text)).rule is rule


@pytest.mark.parametrize(("text", "rule"), COUNTS)
def test_where_a_count_is_read(text: str, rule: ReadingRule) -> None:
    assert GRADERS["counting"](ask("3"), said(text)).rule is rule


@pytest.mark.parametrize(("text", "rule"), TEXTS)
def test_where_a_text_is_read(text: str, rule: ReadingRule) -> None:
    assert GRADERS["anls"](ask("Main Street"), said(text)).rule is rule


@pytest.mark.parametrize(("text", "rule"), EXPRESSIONS)
def test_where_an_expression_is_read(text: str, rule: ReadingRule) -> None:
    assert GRADERS["maths"](ask("1/2"), said(text)).rule is rule


def test_the_originals_matcher_names_what_matched() -> None:
    grader = GRADERS["upstream_code"]
    assert grader(ask("7"), said(r"\boxed{7}")).rule is ReadingRule.BOX
    assert grader(ask("7"), said("<answer>7</answer>")).rule is ReadingRule.TAG
    assert grader(ask("7"), said("it must be 7")) == 1
    assert grader(ask("7"), said("it must be 7")).rule is ReadingRule.SENTENCE
    assert grader(ask("7"), said(r"\boxed{8}")).rule is ReadingRule.BOX


def test_what_no_rule_read_is_wrong_and_strict_reads_no_free_text() -> None:
    rules = set()
    for answer in dict.fromkeys(scored_answers()):
        choices = answer.others if answer.kind == "choice" else ()
        query, rollout = (
            ask(answer.claim or answer.others[0], choices=choices),
            said(answer.text),
        )
        score, strict = GRADERS[answer.kind](query, rollout), GRADERS["strict"](query, rollout)
        rules.add(score.rule)
        assert score == 0 or score.rule is not ReadingRule.NONE
        assert strict.rule not in FREE_TEXT
        assert strict.rule in (score.rule, ReadingRule.NONE)
    assert rules == set(ReadingRule)
