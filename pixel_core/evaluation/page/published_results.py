"""Results that others published for the benchmarks, to stand beside ours. None is ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Where all numbers of this file are from: the result table, the ablations, and the rates of
#: pixel-space reasoning on the test sets.
SOURCE = "Pixel Reasoner, arXiv 2505.15966 v3"
LINK = "https://arxiv.org/abs/2505.15966"

_BENCHMARKS = ("vstar", "tallyqa_complex", "mvbench", "infographicsvqa")


@dataclass(frozen=True)
class Published:
    """One model's published scores: accuracy in per cent, of InfographicsVQA ANLS."""

    model: str
    scores: Mapping[str, float]
    #: Share of answers with an operation, in per cent, where it was published.
    rapr: Mapping[str, float] = field(default_factory=dict)


def _scores(*values: float) -> dict[str, float]:
    return dict(zip(_BENCHMARKS, values, strict=True))


PUBLISHED = (
    Published("Qwen2.5-VL-7B", _scores(70.4, 68.6, 63.8, 80.7)),
    Published(
        "Pixel-Reasoner-7B",
        _scores(84.3, 73.8, 67.8, 84.0),
        _scores(78.5, 57.8, 67.0, 59.0),
    ),
    Published("warm start only", _scores(79.0, 67.9, 59.0, 74.3)),
    Published("RL without curiosity", _scores(81.1, 71.8, 66.4, 80.7)),
    Published("RL without warm start", _scores(81.7, 72.2, 65.6, 81.2)),
    Published("RL without correction data", _scores(80.1, 69.8, 63.6, 78.2)),
)
