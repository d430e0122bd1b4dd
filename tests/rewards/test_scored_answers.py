"""The committed set of answers: at most one in a hundred is read falsely, either way."""

from __future__ import annotations

from collections import Counter

import pytest
from graded_rollouts import ask, said
from scored_answers import Scored, scored_answers

from pixel_core.records import Query
from pixel_core.rewards.graders.registry import GRADERS

SET = list(dict.fromkeys(scored_answers()))


def query_of(answer: Scored, right: str) -> Query:
    return ask(right, choices=answer.others if answer.kind == "choice" else ())


def verdicts(answer: Scored) -> tuple[bool, bool]:
    """Whether the claim is called wrong, and whether anything else is called right."""
    grader, rollout = GRADERS[answer.kind], said(answer.text)
    wrong = answer.claim is not None and grader(query_of(answer, answer.claim), rollout) < 1
    others = [other for other in answer.others if other != answer.claim]
    right = any(grader(query_of(answer, other), rollout) == 1 for other in others)
    return wrong, right


def test_it_is_large_and_of_all_kinds() -> None:
    kinds = Counter((answer.kind, answer.claim is None) for answer in SET)
    assert len(SET) >= 1000
    assert len(kinds) == 6
    assert min(kinds.values()) >= 50


@pytest.mark.parametrize("kind", ["choice", "counting", "anls"])
def test_at_most_one_in_a_hundred_is_read_falsely(kind: str) -> None:
    of_kind = [answer for answer in SET if answer.kind == kind]
    found = [(answer, *verdicts(answer)) for answer in of_kind]
    false_wrongs = [answer.text for answer, wrong, _ in found if wrong]
    false_rights = [answer.text for answer, _, right in found if right]
    assert len(false_wrongs) <= len(of_kind) / 100, false_wrongs
    assert len(false_rights) <= len(of_kind) / 100, false_rights
