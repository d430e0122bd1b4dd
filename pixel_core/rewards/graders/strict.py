"""Grader ``strict``: the rule of our rewards (``rewards.grading``), and nothing beside it."""

from __future__ import annotations

from pixel_core.records import Query, Rollout
from pixel_core.rewards.graders.claim import claim_of
from pixel_core.rewards.grading import grade


def strict(query: Query, rollout: Rollout) -> float:
    """1 where the episode ended with a box or tag that ``grade`` accepts, else 0."""
    marks = claim_of(rollout).marks
    return float(bool(marks) and all(grade(mark, query) for mark in marks))
