"""What a study left to look at: its runs, its claims and its page."""

from __future__ import annotations

import json
from typing import Any

from pixel_core.evaluation.study.stage import FILE
from pixel_core.workflow.store import Artifact

#: Of the file; a run has its own too, which differ where cells were computed apart.
PLACE_FIELDS = ("machine", "instruction_set", "instruction_limits")
#: The fields of a run in ``pixel show study --json``.
RUN_FIELDS = (
    "arm",
    "base_model_seed",
    "warm_start_seed",
    "rl_seed",
    "warm_start_selected",
    *PLACE_FIELDS,
    "rapr",
    "accuracy_sampled",
    "accuracy_greedy",
    "digits_sampled",
    "by",
)
CLAIM_FIELDS = ("claim", "verdict", "evidence")


def read_study(artifact: Artifact) -> dict[str, Any]:
    """The content of ``study.json``."""
    return json.loads((artifact.local() / FILE).read_text(encoding="utf-8"))


def public(values: dict[str, Any]) -> dict[str, Any]:
    """Where it was computed, ``runs`` and ``claims``, with the fields promised, no more.

    A study from before something was recorded has None there.
    """
    provenance = values["provenance"]
    return {
        "commit": "; ".join(provenance["commits"]),
        **{field: provenance.get(field) for field in PLACE_FIELDS},
        "runs": [{field: row.get(field) for field in RUN_FIELDS} for row in values["runs"]],
        "claims": [{field: row[field] for field in CLAIM_FIELDS} for row in values["claims"]],
    }


def study_markdown(artifact: Artifact) -> str:
    """Verdicts and arms for Prefect's page."""
    values = read_study(artifact)
    lines = [*values["sentences"].get("lead", []), "", "## Claims", ""]
    lines += [
        f"- **{claim['verdict']}**: {claim['claim']} {claim['evidence']}"
        for claim in values["claims"]
    ]
    lines += ["", "## Arms", "", f"| {' | '.join(ARM_HEAD)} |", f"|{'---|' * len(ARM_HEAD)}"]
    lines += [f"| {' | '.join(cells)} |" for cells in arm_cells(values)]
    return "\n".join([*lines, "", *values["sentences"]["costs"], ""])


ARM_HEAD = ("arm", "runs", "RaPR", "accuracy", "interval", "digits", "greedy")


def arm_cells(values: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row an arm, as a terminal and a page show it; accuracies in per cent."""
    rows: list[tuple[str, ...]] = []
    for name, arm in values["arms"].items():
        accuracy = arm["accuracy"]
        interval = accuracy["all"]["interval"]
        rows.append(
            (
                name,
                ", ".join(part for part in (str(arm["runs"]), arm.get("missed_rule")) if part),
                " to ".join(
                    dict.fromkeys(f"{arm['rapr'][end]:.3f}" for end in ("smallest", "largest"))
                ),
                _percent(accuracy["all"]),
                f"{100 * interval['low']:.1f} to {100 * interval['high']:.1f}",
                _percent(accuracy.get("digits")),
                _percent(accuracy["greedy"]),
            )
        )
    return rows


def _percent(mean: dict[str, Any] | None) -> str:
    return "-" if mean is None else f"{100 * mean['value']:.1f} %"
