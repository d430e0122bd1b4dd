"""Writing trajectories from annotated seeds, without reading or writing files.

python -m bench.trajectories [--items 500] [--repeats 9] [--json]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.material import make
from bench.measure import Figure, arguments, in_turns, tell
from pixel_core.records import Annotation, Split, read_jsonl
from pixel_core.synthesis.trajectories import Writer


def measure(asked: argparse.Namespace) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        material = make(Path(folder), asked.items)
        path = material.inputs["annotate"] / "annotations.jsonl"
        seeds = [a for a in read_jsonl(path, Annotation) if a.seed.split is Split.TRAIN]
    writer = Writer(material.config)
    times = in_turns({"write": lambda: [writer.write(seed) for seed in seeds]}, asked.repeats)
    return [times["write"].rate("trajectories written", len(seeds), "a second")]


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=9)
    options.add_argument("--items", type=int, default=500, help="trajectories a turn")
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    tell(given, measure(given))
