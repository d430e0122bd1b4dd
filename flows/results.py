"""What a run left to look at: scores and the report."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from pixel_core.errors import DataError, StorageError
from pixel_core.store import Artifact, Store

REPORT = "report.html"


def read_scores(artifact: Artifact) -> dict[str, Any]:
    """``{"scores": [...], "comparisons": [...]}`` of an evaluate artifact."""
    return json.loads((artifact.local() / "scores.json").read_text(encoding="utf-8"))


def place_report(artifact: Artifact, store: Store) -> Path:
    """The page's path; a local store gets a copy at its top, where it is easy to find."""
    page = artifact.local() / REPORT
    if not page.is_file():
        raise DataError(
            f"the report artifact {artifact.uri} holds no {REPORT}; make it again with "
            "pixel run --from report"
        )
    top = store.storage.local_path(REPORT)
    if top is None:
        return page
    content = page.read_bytes()
    if top.is_file() and top.read_bytes() == content:
        return top
    partial = top.with_name(f"{REPORT}.{secrets.token_hex(4)}.part")
    try:
        partial.write_bytes(content)
        os.replace(partial, top)
    except OSError as error:
        raise StorageError(f"cannot write {top}: {error}; check the store's folder") from error
    return top
