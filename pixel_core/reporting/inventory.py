"""What went in: counts of the data."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pixel_core.pages.wording import plain
from pixel_core.records import Split
from pixel_core.reporting.material import Material

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
    """Trajectories by kind, with the turns that are trained whole and those with a mistake."""
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
    """Who said where the cue is."""
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
