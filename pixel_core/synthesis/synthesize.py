"""Stage ``synthesize``: trajectories for the warm start, from annotated train seeds.

Writes ``trajectories.jsonl`` (records.Trajectory), in the annotations' order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pixel_core.errors import DataError
from pixel_core.records import Annotation, Split, Trajectory, read_jsonl, write_jsonl
from pixel_core.stage import StageContext
from pixel_core.synthesis.trajectories import Writer

TRAJECTORIES = "trajectories.jsonl"

_REPORT_EVERY = 500


def run(context: StageContext) -> dict[str, Any]:
    """Write one trajectory for each train annotation; return counts and shares by kind.

    ``fallbacks`` counts trajectories of another kind than the drawn one, as
    "drawn->made". Raises ``DataError`` when no train seed was annotated.
    """
    writer = Writer(context.config)
    source = context.inputs["annotate"] / "annotations.jsonl"
    annotations = [a for a in read_jsonl(source, Annotation) if a.seed.split is Split.TRAIN]
    if not annotations:
        raise DataError(
            "no annotated train seed to write a trajectory from; look at the annotate "
            "stage's dropped counts, or give the source more train seeds"
        )
    kinds: Counter[str] = Counter()
    fallbacks: Counter[str] = Counter()
    turns: Counter[bool] = Counter()

    def written() -> Iterator[Trajectory]:
        for done, annotation in enumerate(annotations, 1):
            result = writer.write(annotation)
            trajectory = result.trajectory
            kinds[trajectory.kind.value] += 1
            if result.drawn is not trajectory.kind:
                fallbacks[f"{result.drawn}->{trajectory.kind}"] += 1
            turns.update(turn.trained for turn in trajectory.turns)
            if done % _REPORT_EVERY == 0 or done == len(annotations):
                context.progress.update(done, len(annotations))
            yield trajectory

    count = write_jsonl(context.out / TRAJECTORIES, written())
    return {
        "trajectories": count,
        "kinds": dict(sorted(kinds.items())),
        "shares": {kind: round(n / count, 4) for kind, n in sorted(kinds.items())},
        "fallbacks": dict(sorted(fallbacks.items())),
        "turns": {"trained": turns[True], "untrained": turns[False]},
    }
