"""Answers that a reader wrote down, each with what it says, before looking at the rules.

``answers_from_outside.jsonl``: a line each, with the claim (null for nothing), the options, or
other values that it does not say, and where it matters the question. Rules are not tuned to
the last of them: what is left unread is a false wrong, and hardly any may be a false right.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from graded_rollouts import ask, said

from pixel_core.rewards.graders.registry import GRADERS

FILE = Path(__file__).with_name("answers_from_outside.jsonl")
#: Of a hundred: false wrongs, false rights.
ALLOWED = {"choice": (5, 0.1), "counting": (2, 0.1), "anls": (3, 0)}


def score(row: dict[str, Any], right: str) -> float:
    choices = tuple(row["others"]) if row["kind"] == "choice" else ()
    query = ask(right, choices=choices)
    query = query.model_copy(update={"question": row.get("question", "?")})
    return GRADERS[row["kind"]](query, said(row["text"]))


@pytest.mark.parametrize("kind", list(ALLOWED))
def test_few_are_unread_and_hardly_any_is_misread(kind: str) -> None:
    rows = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
    rows = [row for row in rows if row["kind"] == kind]
    unread = [row for row in rows if row["claim"] and score(row, row["claim"]) < 1]
    others = [(row, other) for row in rows for other in row["others"] if other != row["claim"]]
    misread = {row["text"] for row, other in others if score(row, other) == 1}
    wrongs, rights = (share * len(rows) / 100 for share in ALLOWED[kind])
    assert len(misread) <= rights, misread
    assert len(unread) <= wrongs, [row["text"] for row in unread]
