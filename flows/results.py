"""What a run left to look at: scores and the report."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from pixel_core.errors import DataError, StorageError
from pixel_core.workflow.store import Artifact, Store

REPORT = "report.html"


def read_scores(artifact: Artifact) -> dict[str, Any]:
    """``{"scores": [...], "comparisons": [...]}`` of an evaluate artifact."""
    return json.loads((artifact.local() / "scores.json").read_text(encoding="utf-8"))


def score_rows(
    artifact: Artifact, store: Store, sft: str | None = None
) -> list[dict[str, Any]]:
    """The rows of a table of scores; a warm start that missed its rule is marked. ``sft``: see
    ``warm_start_selected``."""
    rows: list[dict[str, Any]] = read_scores(artifact)["scores"]
    if warm_start_selected(artifact, store, sft) is not False:
        return rows
    return [
        row | {"model": "warm_start (rule missed)"} if row["model"] == "warm_start" else row
        for row in rows
    ]


def warm_start_selected(
    artifact: Artifact, store: Store, sft: str | None = None
) -> bool | None:
    """Whether the rule that was to pick the warm start of an evaluate artifact held; None
    where there was no rule, or the store no longer says.

    ``sft``: the key of the warm start in the run that is shown. Without it the one that was
    answered with is asked: another rule may have come to the same weights since.
    """
    own = store.load("sft", sft) if sft else None
    if own is not None:
        return own.metrics.get("selected")
    found = artifact
    for stage in ("answers_warm_start", "sft"):
        needed = found.manifest.inputs.get(stage)
        loaded = store.load(stage, needed.key) if needed else None
        if loaded is None:
            return None
        found = loaded
    return found.metrics.get("selected")


def place_report(artifact: Artifact, store: Store) -> Path:
    """See ``place_page``."""
    return place_page(artifact, store, REPORT, "pixel run --from report")


def place_page(artifact: Artifact, store: Store, name: str, remedy: str) -> Path:
    """The page's path; a local store gets a copy at its top, where it is easy to find.

    ``DataError``, with the ``remedy`` (a command), when the artifact has no page.
    """
    page = artifact.local() / name
    if not page.is_file():
        raise DataError(
            f"the {artifact.stage} artifact {artifact.uri} holds no {name}; make it again with "
            f"{remedy}"
        )
    top = store.storage.local_path(name)
    if top is None:
        return page
    content = page.read_bytes()
    if top.is_file() and top.read_bytes() == content:
        return top
    partial = top.with_name(f"{name}.{secrets.token_hex(4)}.part")
    try:
        partial.write_bytes(content)
        os.replace(partial, top)
    except OSError as error:
        raise StorageError(f"cannot write {top}: {error}; check the store's folder") from error
    return top
