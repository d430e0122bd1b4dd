"""Stage ``synthesize``: trajectories for the warm start, from annotated train seeds.

Writes ``trajectories.jsonl`` (records.Trajectory), in the annotations' order. Annotations are
read and written one at a time, so memory does not grow with their number.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pixel_core.config import PipelineConfig
from pixel_core.data.synthesis.trajectories import LeftOut, TrajectoryWriter, Written
from pixel_core.errors import DataError
from pixel_core.jsonl import RecordIndex
from pixel_core.records import Annotation, Split, Trajectory, read_jsonl, write_jsonl
from pixel_core.workflow.stage import StageContext

# Trajectories that came with imported questions are used unchanged.


_TRAJECTORIES = "trajectories.jsonl"


def fingerprint(config: PipelineConfig) -> dict[str, Any]:
    """The digest of the imported trajectories, if there are any."""
    path = _path(config)
    if path is None:
        return {}
    with path.open("rb") as data:
        return {"imported": hashlib.file_digest(data, "sha256").hexdigest()}


def imported_trajectories(config: PipelineConfig) -> RecordIndex[Trajectory] | None:
    """By seed id; None if no questions are imported."""
    path = _path(config)
    return None if path is None else RecordIndex(path, Trajectory, lambda one: one.seed_id)


def _path(config: PipelineConfig) -> Path | None:
    if "imported" not in config.ingest.sources:
        return None
    path = Path(config.ingest.imported.path) / _TRAJECTORIES
    if not config.ingest.imported.path or not path.is_file():
        raise DataError(
            f"there is no {path}; set ingest.imported.path to a folder that pixel import has "
            "completed"
        )
    return path


TRAJECTORIES = "trajectories.jsonl"

_REPORT_EVERY = 500


def run(context: StageContext) -> dict[str, Any]:
    """Write at most one trajectory for each train annotation, or use those that came with
    its question; return counts.

    ``fallbacks``: trajectories of another kind than drawn, as "drawn->made". ``turns``: those
    fully trained and those with a masked mistake. ``left_out``: seeds without a trajectory.
    ``replaced``: rejected texts, including those that gave the answer away before the closer
    look. Raises ``DataError`` if nothing can be written.
    """
    writer = TrajectoryWriter(context.config)
    imported = imported_trajectories(context.config)
    source = context.inputs["annotate"] / "annotations.jsonl"
    total = _lines(source)
    counts = _Counts()

    def written() -> Iterator[Trajectory]:
        for done, annotation in enumerate(read_jsonl(source, Annotation), 1):
            if annotation.seed.split is not Split.TRAIN:
                pass
            elif imported and (brought := imported.named(annotation.seed.id)):
                counts.add_imported(brought)
                yield from brought
            else:
                result = writer.write(annotation)
                counts.add(result)
                if isinstance(result, Written):
                    yield result.trajectory
            if done % _REPORT_EVERY == 0 or done == total:
                context.progress.update(done, total, left_out=counts.left_out.total())

    count = write_jsonl(context.out / TRAJECTORIES, written())
    if not count:
        _refuse_nothing(counts)
    if imported:
        counts.imported["without_seed"] = len(imported) - counts.imported["trajectories"]
    return {"trajectories": count, **counts.metrics()}


class _Counts:
    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.fallbacks: Counter[str] = Counter()
        self.turns = {"trained": 0, "with_mistake": 0}
        self.left_out: Counter[str] = Counter()
        self.replaced: Counter[str] = Counter()
        self.imported: Counter[str] = Counter()

    def add(self, result: Written | LeftOut) -> None:
        if isinstance(result, LeftOut):
            self.left_out[result.value] += 1
            return
        made = result.trajectory.kind
        self.kinds[made.value] += 1
        if result.drawn is not made:
            self.fallbacks[f"{result.drawn}->{made}"] += 1
        for turn in result.trajectory.turns:
            self.turns["with_mistake" if turn.untrained else "trained"] += 1
        self.replaced.update(why.value for why in result.replaced)

    def add_imported(self, trajectories: list[Trajectory]) -> None:
        self.kinds.update(one.kind.value for one in trajectories)
        self.imported["trajectories"] += len(trajectories)
        for turn in (turn for one in trajectories for turn in one.turns):
            self.turns["with_mistake" if turn.untrained else "trained"] += 1

    def metrics(self) -> dict[str, Any]:
        count = self.kinds.total()
        return {
            "kinds": dict(sorted(self.kinds.items())),
            "shares": {kind: round(n / count, 4) for kind, n in sorted(self.kinds.items())},
            "fallbacks": dict(sorted(self.fallbacks.items())),
            "turns": self.turns,
            "left_out": dict(sorted(self.left_out.items())),
            "replaced": dict(sorted(self.replaced.items())),
        } | ({"imported": dict(sorted(self.imported.items()))} if self.imported else {})


def _refuse_nothing(counts: _Counts) -> None:
    if counts.left_out:
        reasons = ", ".join(f"{why} {n}" for why, n in sorted(counts.left_out.items()))
        raise DataError(
            f"no trajectory could be written: all {counts.left_out.total()} annotated train "
            f"seeds are left out ({reasons}). unasked: let a model annotate them; "
            "unanswerable: mend the answers; easy: set synthesize.easy to same or direct"
        )
    raise DataError(
        "no annotated train seed to write a trajectory from; look at the annotate "
        "stage's dropped counts, or give the source more train seeds"
    )


def _lines(path: Path) -> int:
    """The number of lines, for progress; a million take a fraction of a second."""
    with path.open("rb") as lines:
        return sum(1 for _ in lines)
