"""The graders by name, and which one a setting means."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pixel_core.errors import ConfigError
from pixel_core.records import Query, Rollout
from pixel_core.rewards.graders.anls import anls
from pixel_core.rewards.graders.choice import choice
from pixel_core.rewards.graders.claim import claim_of
from pixel_core.rewards.graders.counting import counting
from pixel_core.rewards.graders.grader import UNREAD, Grade, Grader
from pixel_core.rewards.graders.maths import maths
from pixel_core.rewards.graders.upstream_code import upstream_code
from pixel_core.rewards.grading import grade

# Grader ``strict``: the rule of our rewards (``rewards.grading``), and nothing beside it.


def strict(query: Query, rollout: Rollout) -> Grade:
    """1 where the episode ended with a box or tag that ``grade`` accepts, else 0."""
    claim = claim_of(rollout)
    if not claim.marks:
        return UNREAD
    return Grade(all(grade(mark, query) for mark in claim.marks), claim.rule)


#: ``maths`` and ``upstream_code`` start a process for their first answer, and not before.
GRADERS: Mapping[str, Grader] = MappingProxyType(
    {
        "strict": strict,
        "choice": choice,
        "counting": counting,
        "anls": anls,
        "maths": maths,
        "upstream_code": upstream_code,
    }
)

#: Those that give scores between 0 and 1; all others say right or wrong, and nothing between.
GRADED = frozenset({"anls"})


def grader_of(preset: str, published: str) -> tuple[str, Grader]:
    """The grader that ``benchmarks.scoring.graders`` means, and its name.

    ``preset`` "published" is the benchmark's own, ``published``; any other is one for all.
    Raises ``ConfigError`` for a name that is not registered.
    """
    name = published if preset == "published" else preset
    if name not in GRADERS:
        raise ConfigError(f"no grader is named {name!r}; there are {', '.join(GRADERS)}")
    return name, GRADERS[name]
