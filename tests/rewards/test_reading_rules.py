"""Each score says where its answer was read: marked by the model, in free text, or nowhere."""

from __future__ import annotations

import pytest
from graded_rollouts import ask, said
from scored_answers import scored_answers

from pixel_core.records import StopReason
from pixel_core.rewards.graders.grader import FREE_TEXT, Rule
from pixel_core.rewards.graders.registry import GRADERS

QUICK = [name for name in GRADERS if name not in ("maths", "upstream_code")]
ANIMALS = ("dog", "cat", "red bird")

MARKED = [
    (r"\boxed{B}", Rule.BOX),
    (r"<answer>\boxed{B}</answer>", Rule.BOX),
    (r"<answer>B</answer> \boxed{B}", Rule.BOX),
    ("<answer>B</answer>", Rule.TAG),
    ("<|begin_of_box|>B<|end_of_box|>", Rule.TAG),
    (r"<think>\boxed{A}</think><answer>B</answer>", Rule.TAG),
]
UNREAD = ["", "<think>B", r"\boxed{B", r"\boxed{}", "<answer></answer>"]
CHOICES = [
    ("The answer is B.", Rule.STATEMENT),
    ("B is the correct answer.", Rule.STATEMENT),
    ("答案是B", Rule.STATEMENT),
    ("The answer is B.\nA", Rule.STATEMENT),
    ("B", Rule.TURN),
    ("**B. cat**", Rule.TURN),
    ("B\n\nIt sits on the left.", Rule.LINE),
    ("It sits on the left.\n\ncat", Rule.LINE),
    ("B, because it sits there.", Rule.SENTENCE),
    ("It is a cat. It sits there.", Rule.SENTENCE),
    ("I cannot tell.", Rule.NONE),
    ("B\nA", Rule.NONE),
]
COUNTS = [
    ("The answer is 3.", Rule.STATEMENT),
    ("3", Rule.TURN),
    ("Three dogs.", Rule.TURN),
    ("3只狗", Rule.TURN),
    ("3\n\nThey sit on the left.", Rule.LINE),
    ("There are 3 dogs.", Rule.SENTENCE),
    ("3 people are wearing hats.", Rule.SENTENCE),
    ("The street is wet. There are 3 dogs.", Rule.SENTENCE),
    ("3 or 4", Rule.NONE),
]
TEXTS = [
    ("The answer is Main Street.", Rule.STATEMENT),
    ("Main Street", Rule.TURN),
    ("I see a sign. I cannot read it.", Rule.TURN),
]
EXPRESSIONS = [
    ("The answer is 0.5.", Rule.STATEMENT),
    ("0.5", Rule.TURN),
    ("It may be one half.", Rule.NONE),
    (r"\boxed{0.5}", Rule.BOX),
    ("<answer>0.5</answer>", Rule.TAG),
]


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize(("text", "rule"), MARKED)
def test_what_is_marked_is_read_there(name: str, text: str, rule: Rule) -> None:
    assert GRADERS[name](ask("cat", choices=ANIMALS), said(text)).rule is rule


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("text", UNREAD)
def test_without_an_answer_no_rule_read_one(name: str, text: str) -> None:
    score = GRADERS[name](ask("cat", choices=ANIMALS), said(text))
    assert (score, score.rule) == (0, Rule.NONE)


@pytest.mark.parametrize("name", QUICK)
def test_an_episode_that_was_cut_claims_nothing(name: str) -> None:
    cut = said("The answer is B.", stop=StopReason.TRUNCATED)
    assert GRADERS[name](ask("cat", choices=ANIMALS), cut).rule is Rule.NONE


@pytest.mark.parametrize(("text", "rule"), CHOICES)
def test_where_an_option_is_read(text: str, rule: Rule) -> None:
    assert GRADERS["choice"](ask("cat", choices=ANIMALS), said(text)).rule is rule


@pytest.mark.parametrize(("text", "rule"), COUNTS)
def test_where_a_count_is_read(text: str, rule: Rule) -> None:
    assert GRADERS["counting"](ask("3"), said(text)).rule is rule


@pytest.mark.parametrize(("text", "rule"), TEXTS)
def test_where_a_text_is_read(text: str, rule: Rule) -> None:
    assert GRADERS["anls"](ask("Main Street"), said(text)).rule is rule


@pytest.mark.parametrize(("text", "rule"), EXPRESSIONS)
def test_where_an_expression_is_read(text: str, rule: Rule) -> None:
    assert GRADERS["maths"](ask("1/2"), said(text)).rule is rule


def test_the_originals_matcher_names_what_matched() -> None:
    grader = GRADERS["upstream_code"]
    assert grader(ask("7"), said(r"\boxed{7}")).rule is Rule.BOX
    assert grader(ask("7"), said("<answer>7</answer>")).rule is Rule.TAG
    assert grader(ask("7"), said("it must be 7")) == 1
    assert grader(ask("7"), said("it must be 7")).rule is Rule.SENTENCE
    assert grader(ask("7"), said(r"\boxed{8}")).rule is Rule.BOX


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
        assert score == 0 or score.rule is not Rule.NONE
        assert strict.rule not in FREE_TEXT
        assert strict.rule in (score.rule, Rule.NONE)
    assert rules == set(Rule)
