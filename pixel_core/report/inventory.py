"""The report's input data, in counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pixel_core.records import SecondLook, Split
from pixel_core.report.html.wording import plain
from pixel_core.report.material import Material

Table = dict[str, Any]


def seed_table(material: Material) -> Table:
    """Questions by kind and split."""
    counts = Counter((seed.kind or "other", seed.split) for seed in material.seeds.values())
    kinds = sorted({kind for kind, _ in counts})
    splits = list(Split)
    return {
        "title": "Questions",
        "head": ["kind", *(split.value for split in splits)],
        "rows": [[plain(kind), *(counts[kind, split] for split in splits)] for kind in kinds]
        + [["all", *(sum(counts[kind, split] for kind in kinds) for split in splits)]],
    }


def trajectory_table(material: Material) -> Table:
    """Trajectories by kind, with the turns trained in full and those with a mistake."""
    kinds: dict[str, list[int]] = {}
    for trajectory in material.trajectories:
        trained = sum(not turn.untrained for turn in trajectory.turns)
        row = kinds.setdefault(trajectory.kind.value, [0, 0, 0])
        row[0] += 1
        row[1] += trained
        row[2] += len(trajectory.turns) - trained
    total = [sum(column) for column in zip(*kinds.values(), strict=True)]
    return {
        "title": "Trajectories",
        "head": ["kind", "trajectories", "turns trained whole", "turns with a mistake"],
        "rows": [[plain(kind), *row] for kind, row in sorted(kinds.items())]
        + ([["all", *total]] if total else []),
    }


def author_table(material: Material) -> Table:
    """Who located the cue."""
    counts = Counter(
        (annotation.author, annotation.cue is not None)
        for annotation in material.annotations.values()
    )
    authors = sorted({author for author, _ in counts})
    return {
        "title": "Annotations",
        "head": ["author", "with a cue", "whole picture"],
        "rows": [[author, counts[author, True], counts[author, False]] for author in authors],
    }


def look_table(material: Material) -> Table | None:
    """Results of the second look, by kind of question; None if there was none."""
    counts = Counter(
        (annotation.seed.kind or "other", annotation.look)
        for annotation in material.annotations.values()
        if annotation.look is not None
    )
    if not counts:
        return None
    rows = []
    for kind in sorted({kind for kind, _ in counts}):
        found = [counts[kind, look] for look in SecondLook]
        share = counts[kind, SecondLook.NEEDS_ZOOM] / sum(found)
        rows.append([plain(kind), *found, f"{share:.0%}"])
    return {
        "title": "Second look: what kept questions need",
        "head": ["kind", *(plain(look) for look in SecondLook), "share that needs zoom"],
        "rows": rows,
    }


#: Labels for the annotating stage's costs, in display order.
_COSTS = {
    "usd": "paid, US dollars",
    "unsettled_usd": "at most: charged for answers that never came, US dollars",
    "saved_usd": "saved: on record already, US dollars",
    "requests": "answers paid for",
    "remembered": "answers on record",
    "prompt_tokens": "prompt tokens",
    "cached_tokens": "of them cached",
    "completion_tokens": "completion tokens",
    "unmetered": "answers that did not say their price",
    "dropped_seeds": "warning: seeds dropped because no answer could be used",
}


def cost_table(costs: Mapping[str, float]) -> Table | None:
    """The cost of the annotations; None if no paid model was asked."""
    if not costs:
        return None
    return {
        "title": "What the annotations cost",
        "head": ["", "value"],
        "rows": [
            [words, f"{costs[name]:.4f}" if "usd" in name else f"{costs[name]:,.0f}"]
            for name, words in _COSTS.items()
            if name in costs
        ],
    }
