"""The ``study`` stage of a matrix: its inputs and the arguments that describe its cells.

The arguments follow from the inputs' manifests, so it is rerun when a cell changes and reused
otherwise.
"""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pixel_core.evaluation.study.graph import Graph
from pixel_core.evaluation.study.matrix import Matrix
from pixel_core.workflow.stage import Stage
from pixel_core.workflow.store import Artifact

NAME = "study"
RUN = "pixel_core.evaluation.study.study:run"
#: For a manifest older than the recorded field.
UNKNOWN = "not recorded"
#: The files of its artifact.
FILE, PAGE = "study.json", "study.html"
#: The page lists every setting that shaped the result, so its key includes them all.
_SECTIONS = (
    "study",
    "dialogue",
    "ingest",
    "annotate",
    "synthesize",
    "base_model",
    "text_only",
    "sft",
    "rl",
    "answers",
)
#: A cell's stages whose numbers depend on the machine's rounding.
_COMPUTED = ("base_model", "text_only", "sft", "rl", "answers_policy")
#: Names in a cell's row for its inputs.
_PARTS = {"rl": "rl", "answers": "answers_policy", "start": "answers_warm_start"}


def study_stage(
    matrix: Matrix,
    graph: Graph,
    made: Mapping[str, Artifact],
    command: str,
    *,
    quick: bool = False,
) -> tuple[Stage, dict[str, Artifact]]:
    """The stage and its inputs; ``made``: the artifact of every node of the graph."""
    # No arm may change the questions, so all cells have the same ones.
    inputs = {"ingest": made[graph.of(matrix.cells[0], "ingest").id]}
    rows: list[dict[str, Any]] = []
    for cell in matrix.cells:
        row: dict[str, Any] = {
            "arm": cell.arm,
            "seeds": list(cell.seeds),
        }
        for part, maker in _PARTS.items():
            row[part] = f"{maker} {cell}"
            inputs[row[part]] = made[graph.of(cell, maker).id]
        row["rl_key"] = made[graph.of(cell, "rl").id].key
        row["rl_metrics"] = dict(made[graph.of(cell, "rl").id].metrics)
        row["place"] = place_of(
            [made[graph.of(cell, stage).id].manifest.environment for stage in _COMPUTED]
        )
        row["warm_start_metrics"] = dict(made[graph.of(cell, "sft").id].metrics)
        rows.append(row)
    stage = Stage(
        NAME,
        5,
        _SECTIONS,
        tuple(inputs),
        RUN,
        "arms compared, claims judged, one self-contained HTML page",
        arguments={
            "cells": rows,
            "provenance": _provenance(made, graph, command) | {"quick": quick},
        },
    )
    return stage, inputs


def study_command(
    profile: str, overrides: Sequence[str], only: Sequence[str], *, quick: bool = False
) -> str:
    """The command that makes this study, wherever its store is."""
    words = ["pixel", "study", "learning-trap", "--profile", profile]
    for override in overrides:
        words += ["--set", override]
    for arm in only:
        words += ["--only", arm]
    words += ["--quick"] * quick
    return shlex.join(words)


def place_of(environments: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """``machine``, ``instruction_set`` and ``instruction_limits`` recorded in these
    environments; several values in order of appearance, separated by semicolons. Manifests
    older than these fields are marked as such."""

    def told(values: Iterable[str]) -> str:
        return "; ".join(dict.fromkeys(values))

    return {
        "machine": told(map(_machine, environments)),
        "instruction_set": told(str(e.get("instruction_set", UNKNOWN)) for e in environments),
        "instruction_limits": told(
            str(e["instruction_limits"]) for e in environments if e.get("instruction_limits")
        ),
    }


def _machine(environment: Mapping[str, Any]) -> str:
    return f"{environment.get('cpu', f'CPU {UNKNOWN}')}, {environment.get('cpus')} cores"


def _provenance(made: Mapping[str, Artifact], graph: Graph, command: str) -> dict[str, Any]:
    """From the manifests of all nodes: who made them, where, and how long it took."""
    manifests = [made[id].manifest for id in graph.nodes]
    began, ended = [], []
    seconds: defaultdict[str, float] = defaultdict(float)
    counts: Counter[str] = Counter()
    for manifest in manifests:
        taken = manifest.timings.get("run_seconds", 0.0)
        ended.append(datetime.fromisoformat(manifest.created))
        began.append(ended[-1] - timedelta(seconds=taken))
        seconds[manifest.stage] += taken
        counts[manifest.stage] += 1
    environments = [manifest.environment for manifest in manifests]
    return {
        "command": command,
        **place_of(environments),
        "commits": sorted({m.code.get("commit", m.code["package"]) for m in manifests}),
        "machines": sorted({f"{_machine(e)}, {e.get('platform')}" for e in environments}),
        "versions": {
            name: sorted({str(e.get(name)) for e in environments})
            for name in ("python", "torch", "transformers")
        },
        "span_seconds": (max(ended) - min(began)).total_seconds(),
        "stages": {
            stage: {"count": counts[stage], "seconds": seconds[stage]} for stage in counts
        },
    }
