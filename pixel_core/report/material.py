"""Everything the report shows, read once from the input artifacts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.config import SftConfig
from pixel_core.errors import DataError
from pixel_core.media.archive import PictureArchive
from pixel_core.records import Annotation, Query, Rollout, Seed, Trajectory, read_jsonl
from pixel_core.report.health import HealthEvent, read_health
from pixel_core.report.html.wording import MODEL_NAMES
from pixel_core.report.selection import missed_rule
from pixel_core.workflow.table import MODELS

DECODINGS = ("greedy", "sampled")
TRAINING_STAGES = ("base_model", "sft", "rl")

CurveRow = dict[str, Any]


@dataclass(frozen=True)
class Material:
    """Read-only; ``answers``: by model, decoding and question id, samples in order."""

    archive: PictureArchive
    seeds: dict[str, Seed]
    annotations: dict[str, Annotation]
    trajectories: list[Trajectory]
    curves: dict[str, list[CurveRow]]
    #: RL's warnings; None if the artifact has no record of them.
    health: list[HealthEvent] | None
    queries: list[Query]
    answers: dict[str, dict[str, dict[str, list[Rollout]]]]
    scores: dict[str, Any]
    #: Whether the warm start's selection rule never held.
    missed_rule: bool = False

    def name(self, model: str) -> str:
        """A model's name in tables and legends; a warm start that missed its rule is marked."""
        marked = self.missed_rule and model == "warm_start"
        return f"{MODEL_NAMES[model]}{' (rule missed)' if marked else ''}"

    def score(self, model: str, decoding: str) -> dict[str, Any]:
        return next(
            row
            for row in self.scores["scores"]
            if (row["model"], row["decoding"]) == (model, decoding)
        )

    def comparison(self, a: str, b: str, decoding: str) -> dict[str, Any]:
        return next(
            row
            for row in self.scores["comparisons"]
            if (row["a"], row["b"], row["decoding"]) == (a, b, decoding)
        )

    def hidden_kinds(self) -> list[str]:
        """Question kinds whose answers can never be read in the downscaled view."""
        legible: dict[str, set[bool | None]] = {}
        for query in self.queries:
            seed = self.seeds.get(query.id)
            known = seed.legible if seed else None
            legible.setdefault(query.kind or "other", set()).add(known)
        return sorted(kind for kind, found in legible.items() if found == {False})


def read_material(inputs: Mapping[str, Path], sft: SftConfig | None = None) -> Material:
    """Read the input folders; a missing training curve becomes an empty one. ``sft``: the
    section behind the warm start; decides whether its rule held.

    ``DataError`` for malformed lines.
    """
    curves = {stage: _curve(inputs[stage] / "curve.jsonl") for stage in TRAINING_STAGES}
    return Material(
        archive=PictureArchive(inputs["ingest"] / "pictures.zip"),
        seeds={s.id: s for s in read_jsonl(inputs["ingest"] / "seeds.jsonl", Seed)},
        annotations={
            a.seed.id: a
            for a in read_jsonl(inputs["annotate"] / "annotations.jsonl", Annotation)
        },
        trajectories=[
            trajectory
            for stage in ("synthesize", "text_only")
            for trajectory in read_jsonl(inputs[stage] / "trajectories.jsonl", Trajectory)
        ],
        curves=curves,
        health=read_health(inputs["rl"] / "health.jsonl"),
        queries=list(read_jsonl(inputs["answers_policy"] / "queries.jsonl", Query)),
        answers={model: _answers(inputs[f"answers_{model}"]) for model in MODELS},
        scores=json.loads((inputs["evaluate"] / "scores.json").read_text(encoding="utf-8")),
        missed_rule=sft is not None and missed_rule(sft, curves["sft"]),
    )


def _curve(path: Path) -> list[CurveRow]:
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number}: a curve point is an object, got {row!r}")
        rows.append(row)
    return rows


def _answers(folder: Path) -> dict[str, dict[str, list[Rollout]]]:
    answers: dict[str, dict[str, list[Rollout]]] = {}
    for decoding in DECODINGS:
        groups: dict[str, list[Rollout]] = {}
        for rollout in read_jsonl(folder / f"{decoding}.jsonl", Rollout):
            groups.setdefault(rollout.query_id, []).append(rollout)
        answers[decoding] = {
            name: sorted(group, key=lambda r: r.sample) for name, group in groups.items()
        }
    return answers
