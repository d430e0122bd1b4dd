"""A training curve on disk: ``curve.jsonl``, one JSON object a step. No timings in it:
the artifact's bytes follow from its inputs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

NAME = "curve.jsonl"


def write_curve(out: Path, rows: Iterable[dict[str, float]]) -> None:
    with (out / NAME).open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps({k: _short(v) for k, v in row.items()}) + "\n")


def _short(value: float) -> float | int:
    """Six digits are enough for a curve, and whole numbers stay whole."""
    return int(value) if float(value).is_integer() else float(f"{value:.6g}")
