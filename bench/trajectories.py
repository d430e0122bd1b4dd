"""Writing trajectories from annotated seeds: how many a second, and in how much memory.

python -m bench.trajectories [--items 500] [--repeats 9] [--json]
python -m bench.trajectories --memory 10000 100000   # the whole stage, in processes of its own
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.material import NoWorkspace, make
from bench.measure import Figure, arguments, in_turns, tell
from pixel_core.config import PipelineConfig
from pixel_core.data.synthesis import stage as synthesize
from pixel_core.data.synthesis.trajectories import TrajectoryWriter
from pixel_core.records import (
    Annotation,
    Box,
    Cue,
    FrameCue,
    Picture,
    Provenance,
    Seed,
    Split,
    read_jsonl,
    write_jsonl,
)
from pixel_core.workflow.stage import SilentProgress, StageContext

_WORDS = ("red", "round", "small", "wooden", "tall", "lettered", "lamp", "sign", "door", "cup")


def measure(asked: argparse.Namespace) -> list[Figure]:
    """Tiny's drawn questions in its terse wording; others in sentences with their own texts."""
    with tempfile.TemporaryDirectory() as folder:
        material = make(Path(folder), asked.items)
        path = material.inputs["annotate"] / "annotations.jsonl"
        drawn = [a for a in read_jsonl(path, Annotation) if a.seed.split is Split.TRAIN]
    terse, plain = TrajectoryWriter(material.config), TrajectoryWriter(PipelineConfig())
    # New ones every turn: cached texts and sizes would flatter the figure.
    stock = list(invented(len(drawn) * (asked.repeats + 1)))
    fresh = iter([stock[n :: asked.repeats + 1] for n in range(asked.repeats + 1)])
    times = in_turns(
        {
            "terse": lambda: [terse.write(item) for item in drawn],
            "plain": lambda: [plain.write(item) for item in next(fresh)],
        },
        asked.repeats,
    )
    return [
        times[style].rate(f"trajectories written, {style}", len(drawn), "a second")
        for style in ("terse", "plain")
    ]


def invented(count: int) -> Iterator[Annotation]:
    """Invented annotations, all different; one in five is of a video. Makes no pictures."""
    for number in range(count):
        rng = random.Random(number)
        width, height = rng.randint(600, 4000), rng.randint(600, 4000)
        x, y = rng.randint(0, width - 200), rng.randint(0, height - 200)
        box = Box(x1=x, y1=y, x2=x + rng.randint(20, 200), y2=y + rng.randint(20, 200))
        video = number % 5 == 0
        picture = Picture(member=f"{number}.jpg", width=width, height=height, sha256="0" * 64)
        start = rng.randint(0, 11)
        cue = FrameCue(frames=tuple(range(start, start + 4))) if video else Cue(box=box)
        subject = f"the {' '.join(rng.sample(_WORDS, 3))} numbered {number}"
        seed = Seed(
            id=f"invented-{number}",
            split=Split.TRAIN,
            question=f"What is written beside {subject}?",
            answers=(f"{rng.choice(_WORDS)} {rng.randint(100, 999)}",),
            pictures=(picture,) * (16 if video else 1),
            is_video=video,
            subject=subject,
            provenance=Provenance(source="invented"),
        )
        yield Annotation(
            seed=seed,
            cue=cue,
            author="invented",
            whole_view=f"A scene with {' and '.join(rng.sample(_WORDS, 6))} in view.",
            local_view=f"Beside {subject} some words can be read.",
        )


def memory(count: int) -> list[Figure]:
    """The stage's peak memory, in a process that does nothing else."""
    code = f"from bench.trajectories import run_stage; run_stage({count})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    before, peak, seconds = map(float, done.stdout.split())
    return [
        Figure(f"peak memory, {count:,} annotations", peak, "MiB", note=f"{before:.0f} before"),
        Figure(f"the stage, {count:,} annotations", count / seconds, "a second"),
    ]


def run_stage(count: int) -> None:
    """Print initial and peak MiB, and seconds; the annotations are written first."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "annotate", Path(folder) / "out"
        source.mkdir()
        out.mkdir()
        write_jsonl(source / "annotations.jsonl", invented(count))
        context = StageContext(
            PipelineConfig(), {"annotate": source}, out, NoWorkspace(), SilentProgress()
        )
        before, started = _peak(), time.perf_counter()
        synthesize.run(context)
        print(before, _peak(), time.perf_counter() - started)


def _peak() -> float:
    """This process's peak memory in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=9)
    options.add_argument("--items", type=int, default=500, help="trajectories a turn")
    options.add_argument(
        "--memory", type=int, nargs="*", default=[], help="numbers of annotations to run over"
    )
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    if given.memory:
        tell(given, [figure for count in given.memory for figure in memory(count)])
    else:
        tell(given, measure(given))
