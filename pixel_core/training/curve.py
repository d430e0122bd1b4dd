"""A training curve on disk: ``curve.jsonl``, one JSON object a step. No timings in it:
the artifact's bytes follow from its inputs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

NAME = "curve.jsonl"


def write_curve(out: Path, rows: Iterable[dict[str, float]]) -> None:
    """Write the rows. A value that is not finite is left out: JSON has no word for it, and
    the step's update was not applied."""
    with (out / NAME).open("w", encoding="utf-8") as lines:
        for row in rows:
            known = {k: _short(v) for k, v in row.items() if math.isfinite(v)}
            lines.write(json.dumps(known) + "\n")


def _short(value: float) -> float | int:
    """Six digits are enough for a curve, and whole numbers stay whole."""
    return int(value) if float(value).is_integer() else float(f"{value:.6g}")
