"""All graders: found by name, total, quick on any text."""

from __future__ import annotations

import time

import pytest
from graded_rollouts import ask, box, said
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.errors import ConfigError
from pixel_core.garbage import garbage_kept
from pixel_core.records import StopReason
from pixel_core.rewards.graders.registry import GRADED, GRADERS, grader_of
from pixel_core.rewards.grading import MAX_ANSWER, grade

ALONE = sorted(set(GRADERS) - {"maths", "upstream_code"})
ASKING = ["maths", "upstream_code"]


def test_a_setting_names_a_grader() -> None:
    assert grader_of("published", "anls") == ("anls", GRADERS["anls"])
    assert grader_of("upstream_code", "anls") == ("upstream_code", GRADERS["upstream_code"])
    assert grader_of("strict", "choice") == ("strict", GRADERS["strict"])
    with pytest.raises(ConfigError, match=r"'best'; there are strict, choice"):
        grader_of("published", "best")


def test_strict_is_the_rule_of_the_rewards() -> None:
    strict = GRADERS["strict"]
    assert strict(ask("7"), box("7.0")) == 1
    assert strict(ask("7"), said("The answer is 7")) == 0
    assert strict(ask("7"), said(r"\boxed{7}", stop=StopReason.TRUNCATED)) == 0


@pytest.mark.parametrize("letter", ["İ", "ſ", "\N{KELVIN SIGN}", "ı"])
def test_what_is_no_letter_of_the_alphabet_names_no_option(letter: str) -> None:
    choices = tuple(f"option text {n}" for n in range(26))
    for place in range(26):
        query = ask(choices[place], choices=choices)
        assert not grade(letter, query)
        assert GRADERS["choice"](query, box(letter)) == 0
        assert not grade("x", ask(letter, choices=choices))


pieces = st.sampled_from(
    [
        *(
            "answer is ",
            "Answer: ",
            "option ",
            "(",
            ")",
            "A",
            "b",
            "two",
            "7",
            "1,000",
            ".",
            "-",
        ),
        *("\\boxed{", "\\text{", "{", "}", "$", "%", "\n", " ", "**", "<answer>"),
        *("\ud800", "İ", "ß"),
    ]
)
texts = st.text(max_size=80) | st.lists(pieces, max_size=40).map("".join)
names = st.lists(texts.filter(bool), min_size=1, max_size=4).map(tuple)
#: More options than there are letters.
options = names | st.just(()) | st.just(tuple(map(str, range(40))))


@settings(deadline=None)
@given(texts, texts, names, options, st.sampled_from(StopReason))
def test_any_text_has_a_grade(first, last, answers, choices, stop) -> None:
    query = ask(*answers, choices=choices)
    for rollout in (said(first, last), said(last, stop=stop), box(last)):
        for name in ALONE:
            score = GRADERS[name](query, rollout)
            assert 0 <= score <= 1
            assert name in GRADED or score in (0, 1), "intervals rely on it"


@settings(max_examples=15, deadline=None)
@given(texts, names)
def test_any_text_has_a_grade_by_the_process(text, answers) -> None:
    for name in ASKING:
        assert GRADERS[name](ask(*answers), box(text)) in (0, 1)
        assert GRADERS[name](ask(*answers), said(text)) in (0, 1)


LONG = [
    "A" * 10**6,
    "answer is " * 10**5,
    "(" * 10**6,
    "answer" + " " * 10**6,
    "A" + " " * 10**6 + "!",
    "- " * 10**5 + "7",
    "*" * 10**6,
    "\\text{" * 10**5,
    "1," * 10**5,
    "*a " * 10**5,
    "**a*`b" * 10**5,
    "answer is B\n" * 10**5,
    "if the answer is " * 10**5,
    "not sure " * 10**5 + "the answer is B",
    "answer is B. Wait. " * 10**5,
    "B. no, oh, " * 10**5,
    "B. red blue " * 10**5,
    "B" + "(" * 10**6 + "A)",
    "~\\ \\, {,}" * 10**5,
    "image " * 10**5 + "1",
    "no " * 10**5,
]


@pytest.mark.parametrize("name", ALONE)
def test_a_long_text_takes_no_time(name: str) -> None:
    query = ask("blue", "7", choices=("red", "blue"))
    for text in LONG:
        inside = text[:MAX_ANSWER]
        whole = said(text)
        # An answer longer than the episode loop ever keeps is graded in no time, too.
        kept = box("7").model_copy(update={"answer": text})
        # Of this thread alone, and without a collection of what other tests have left.
        with garbage_kept():
            started = time.thread_time()
            GRADERS[name](query, whole)
            GRADERS[name](query, kept)
            GRADERS[name](query, box(inside))
            taken = time.thread_time() - started
        assert taken < 0.2
