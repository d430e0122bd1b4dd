"""Stage ``annotate``: the cue of each question, and the texts that lead there.

Writes ``annotations.jsonl`` (records.Annotation), in the seeds' order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pixel_core.config import PipelineConfig
from pixel_core.data.annotation.prompt_files import check_versions
from pixel_core.data.annotation.requests import endpoint_of
from pixel_core.data.annotation.train_seeds import annotation_by_source, survey
from pixel_core.models.endpoint.endpoint import key_of
from pixel_core.records import Annotation, Seed, read_jsonl, write_jsonl
from pixel_core.workflow.stage import StageContext

# Preflight: errors that would stop annotation are raised before ingest, not after.


def check(config: PipelineConfig) -> None:
    """Raise ``EndpointError`` without a key, ``ConfigError`` for unknown prompts."""
    if config.annotate.by == "openai":
        check_versions(config.annotate.openai.prompts)
        key_of(endpoint_of(config.annotate.openai))


ANNOTATIONS = "annotations.jsonl"

_REPORT_EVERY = 500


def run(context: StageContext) -> dict[str, Any]:
    """Annotate by the source's own cues, or by a model; return counts.

    ``located`` have a cue, ``whole_picture`` have none, ``dropped`` are not written. Holds no
    list of seeds: memory grows by only 8 bytes per seed.
    """
    seeds = context.inputs["ingest"] / "seeds.jsonl"
    by_model = context.config.annotate.by == "openai"
    found = survey(seeds, by_model=by_model)
    counts: Counter[str] = Counter()
    metrics: dict[str, Any] = {"dropped": 0}
    if by_model:
        # Importing the client takes over a second; only runs that use it wait.
        from pixel_core.data.annotation.by_model import annotated

        with annotated(seeds, found, context) as (annotations, metrics):
            written = write_jsonl(context.out / ANNOTATIONS, _counted(annotations, counts))
    else:
        annotations = _by_source(seeds, found.seeds, context)
        written = write_jsonl(context.out / ANNOTATIONS, _counted(annotations, counts))
    return {
        "annotations": written,
        "located": counts["located"],
        "whole_picture": counts["whole_picture"],
        **metrics,
    }


def _by_source(seeds: Path, total: int, context: StageContext) -> Iterator[Annotation]:
    for done, seed in enumerate(read_jsonl(seeds, Seed), 1):
        if done % _REPORT_EVERY == 0 or done == total:
            context.progress.update(done, total)
        yield annotation_by_source(seed)


def _counted(annotations: Iterator[Annotation], counts: Counter[str]) -> Iterator[Annotation]:
    for annotation in annotations:
        counts["whole_picture" if annotation.cue is None else "located"] += 1
        yield annotation
