"""Ingesting a manifest of many records on few, small pictures: speed, and memory's growth.

    python -m bench.ingest [--records 10000 100000] [--pictures 500] [--repeats 1] [--json]

Each size runs in a process of its own, for its peak memory. First everything is checked, as
planning does (every picture decoded, every record parsed); then it is asked again, as a run
does several times; then the stage runs and writes its seeds. Nothing is remembered from one
process to the next. Rates are by the processor's seconds, whoever else is at work.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from bench.measure import ROOT, Figure, Times, arguments, tell
from pixel_core.config import IngestConfig, ManifestConfig, PipelineConfig
from pixel_core.data.sources import ingest
from pixel_core.workflow.stage import SilentProgress, StageContext

_SIDE = 64


def measure(asked: argparse.Namespace) -> list[Figure]:
    figures: list[Figure] = []
    for count in asked.records:
        turns = [_in_a_process(count, asked.pictures) for _ in range(asked.repeats)]
        for name, what in (
            ("check", "records checked"),
            ("again", "records known to be checked"),
            ("run", "records ingested, checked before"),
        ):
            times = Times(tuple(turn[name] for turn in turns))
            figures.append(times.rate(f"{what}, of {count:,}", count, "a CPU second"))
        peak = max(turn["peak_mb"] for turn in turns)
        base = max(turn["base_mb"] for turn in turns)
        note = f"{base:,.0f} MB of it before the first record"
        figures.append(Figure(f"peak memory at {count:,} records", peak, "MB", note=note))
    return figures


def _in_a_process(count: int, pictures: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder) / "data", count, pictures)
        command = [sys.executable, "-m", "bench.ingest", "--inside", folder]
        environment = {**os.environ, "PIXEL_CACHE": f"{folder}/cache"}
        # Files changed in the last two seconds are never treated as known.
        time.sleep(2.5)
        said = subprocess.check_output(command, cwd=ROOT, env=environment, text=True)
        return json.loads(said.splitlines()[-1])


def _write(folder: Path, count: int, pictures: int) -> None:
    folder.mkdir()
    for number in range(pictures):
        out = io.BytesIO()
        noise = random.Random(number).randbytes(3 * _SIDE * _SIDE)
        Image.frombytes("RGB", (_SIDE, _SIDE), noise).save(out, "PNG")
        (folder / f"{number}.png").write_bytes(out.getvalue())
    with (folder / "manifest.jsonl").open("w", encoding="utf-8") as lines:
        for number in range(count):
            record = {
                "id": f"question-{number:09d}",
                "image": f"{number % pictures}.png",
                "question": f"which digit is on card {number // pictures}?",
                "answer": str(number % 10),
                "box": [4, 4, 20, 30],
                "kind": "digit",
            }
            lines.write(json.dumps(record) + "\n")


def _inside(folder: Path) -> None:
    """One size: check, ask again, run; print the seconds and the peak as JSON."""
    manifest = ManifestConfig(path=str(folder / "data" / "manifest.jsonl"))
    config = PipelineConfig(ingest=IngestConfig(sources=("manifest",), manifest=manifest))
    (folder / "out").mkdir()
    context = StageContext(config, {}, folder / "out", None, SilentProgress())  # type: ignore[arg-type]
    found = {"base_mb": _peak_mb()}
    for name, work in (
        ("check", lambda: ingest.fingerprint(config)),
        ("again", lambda: ingest.fingerprint(config)),
        ("run", lambda: ingest.run(context)),
    ):
        started = time.process_time()
        work()
        found[name] = time.process_time() - started
        found[f"{name}_mb"] = _peak_mb()
    print(json.dumps({**found, "peak_mb": _peak_mb()}))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=1)
    options.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000])
    options.add_argument("--pictures", type=int, default=500, help="that the records share")
    options.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    if given.inside:
        _inside(given.inside)
    else:
        tell(given, measure(given))
