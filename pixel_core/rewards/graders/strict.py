"""Grader ``strict``: the rule of our rewards (``rewards.grading``), and nothing beside it."""

from __future__ import annotations

from pixel_core.records import Query, Rollout
from pixel_core.rewards.graders.claim import claim_of
from pixel_core.rewards.graders.grader import UNREAD, Grade
from pixel_core.rewards.grading import grade


def strict(query: Query, rollout: Rollout) -> Grade:
    """1 where the episode ended with a box or tag that ``grade`` accepts, else 0."""
    claim = claim_of(rollout)
    if not claim.marks:
        return UNREAD
    return Grade(all(grade(mark, query) for mark in claim.marks), claim.rule)
