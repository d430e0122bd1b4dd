"""What a run of annotate would cost, before anything is paid: for ``pixel plan``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pixel_core.config import PipelineConfig
from pixel_core.workflow.stage import Prediction, SharedNotes
from pixel_core.workflow.store import Artifact

#: Bytes of segments that a plan reads to bring the index in step.
_MOST_READ = 32 << 20


def predict(
    config: PipelineConfig,
    inputs: Mapping[str, Artifact] | None,
    notes: SharedNotes,
    cache: Path,
) -> Prediction | None:
    """The cost of what is not on record; None where nobody is paid.

    ``inputs`` None: they are still to be made. Reads no picture and writes to the cache
    alone. Raises ``StorageError``, and ``DataError`` for seeds that can't be read.
    """
    if config.annotate.by != "openai":
        return None
    # Imported here: a plan in which nobody is paid stays as quick as it was.
    from pixel_core.data.annotation.cost_estimate import likely_cost
    from pixel_core.data.annotation.ledger.index import INDEX, peek, segment_sizes

    if inputs is None:
        return Prediction(None, "cost unknown until ingest has run")
    index = None
    if segment_sizes(notes):
        index = peek(notes, cache / INDEX, _MOST_READ)
        if index is None:
            return Prediction(
                None, "cost unknown: the index of answers on record is not on this machine yet"
            )
    try:
        with _seeds_file(inputs["ingest"]) as path:
            return likely_cost(path, config.annotate.openai, index)
    finally:
        if index is not None:
            index.close()


@contextmanager
def _seeds_file(artifact: Artifact) -> Iterator[Path]:
    """``seeds.jsonl``, without the pictures where the artifact is far away."""
    place = artifact.storage.local_path(artifact.folder)
    if place is not None:
        yield place / "seeds.jsonl"
        return
    with tempfile.TemporaryDirectory(prefix="pixel-plan-") as folder:
        path = Path(folder) / "seeds.jsonl"
        artifact.storage.download(f"{artifact.folder}/seeds.jsonl", path)
        yield path
