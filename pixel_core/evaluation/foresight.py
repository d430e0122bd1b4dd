"""What would stop the evaluation, known before any model is trained for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pixel_core.errors import DataError
from pixel_core.records import Split


def check_test_questions(ingest: Mapping[str, Any]) -> None:
    """``DataError`` when the ingest artifact (its metrics) has no test question."""
    splits = ingest["by_split"]
    if not splits[Split.TEST]:
        raise DataError(
            f"there is no test question to evaluate a model on among {ingest['seeds']} seeds "
            f"({', '.join(f'{name}: {n}' for name, n in splits.items())}): name a source that "
            "has some in ingest.sources, or raise the test count or share of the one in use; "
            "to make only what needs none, end the run earlier, such as with --until rl"
        )
