"""Stage ``annotate``: where the cue of each question is.

Writes ``annotations.jsonl`` (records.Annotation), in the seeds' order.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import Any

from pixel_core.errors import DataError, EndpointError
from pixel_core.records import Annotation, Cue, Seed, Split, read_jsonl, write_jsonl
from pixel_core.stage import StageContext

ANNOTATIONS = "annotations.jsonl"


def run(context: StageContext) -> dict[str, Any]:
    """Annotate by the source's own boxes, or by a model; return counts.

    ``located`` have a cue, ``whole_picture`` have none, ``dropped`` are not written.
    """
    seeds = list(read_jsonl(context.inputs["ingest"] / "seeds.jsonl", Seed))
    if context.config.annotate.by == "source":
        annotations = [_by_source(seed) for seed in seeds]
        metrics: dict[str, Any] = {"dropped": 0}
        context.progress.update(len(seeds), len(seeds))
    else:
        annotations, metrics = _by_model(seeds, context)
    count = write_jsonl(context.out / ANNOTATIONS, annotations)
    located = sum(annotation.cue is not None for annotation in annotations)
    return {
        "annotations": count,
        "located": located,
        "whole_picture": count - located,
        **metrics,
    }


def _by_source(seed: Seed) -> Annotation:
    """The seed's own cue. ``DataError`` for one outside its picture: a source's bug."""
    cue = seed.cue
    if isinstance(cue, Cue):
        if cue.picture >= len(seed.pictures):
            raise DataError(
                f"seed {seed.id}: its cue is in picture {cue.picture}, it has "
                f"{len(seed.pictures)} (counted from 0); mend the source"
            )
        picture = seed.pictures[cue.picture]
        if cue.box.x2 > picture.width or cue.box.y2 > picture.height:
            raise DataError(
                f"seed {seed.id}: its cue {cue.box.as_tuple()} reaches outside the picture "
                f"of {picture.width}x{picture.height} pixels; mend the source"
            )
    return Annotation(seed=seed, cue=cue, author="source")


def _by_model(
    seeds: list[Seed], context: StageContext
) -> tuple[list[Annotation], dict[str, Any]]:
    """Train seeds are asked about; held-out ones keep their source's cue, unpaid for."""
    # The client takes over a second to import; only those who use it wait.
    from pixel_core.annotation.annotator import Annotator, Outcome
    from pixel_core.annotation.in_threads import in_threads
    from pixel_core.annotation.openai_client import Endpoint
    from pixel_core.vision.archive import PictureArchive

    config = context.config.annotate.openai
    endpoint = Endpoint(config)
    archive = PictureArchive(context.inputs["ingest"] / "pictures.zip")
    asked = [seed for seed in seeds if seed.split is Split.TRAIN]
    outcomes: dict[str, Outcome] = {}
    totals: Counter[str] = Counter()
    try:
        annotator = Annotator(config, endpoint, archive, context.work)
        with closing(in_threads(annotator.annotate, asked, config.concurrency)) as results:
            for position, outcome in results:
                outcomes[asked[position].id] = outcome
                totals["remembered"] += outcome.remembered
                totals["prompt"] += outcome.prompt_tokens
                totals["completion"] += outcome.completion_tokens
                totals["dropped"] += outcome.dropped is not None
                context.progress.update(
                    len(outcomes),
                    len(asked),
                    dropped=totals["dropped"],
                    tokens=totals["prompt"] + totals["completion"],
                )
    finally:
        endpoint.close()
        archive.close()
    if totals["remembered"]:
        context.progress.note(
            f"{totals['remembered']} answers were on record from an interrupted run"
        )
    kept = [outcome for outcome in outcomes.values() if outcome.annotation is not None]
    reasons = Counter(str(o.dropped) for o in outcomes.values() if o.dropped is not None)
    if asked and not kept:
        raise EndpointError(
            f"none of {len(asked)} train seeds could be annotated ({dict(reasons)}); check "
            f"that the model {config.model!r} sees pictures and follows a JSON schema"
        )
    annotations = [
        annotation
        for seed in seeds
        if (
            annotation := outcomes[seed.id].annotation
            if seed.id in outcomes
            else _by_source(seed)
        )
        is not None
    ]
    return annotations, {
        "asked": len(asked),
        "dropped": reasons.total(),
        "dropped_by": dict(sorted(reasons.items())),
        "repaired": sum(outcome.repaired for outcome in outcomes.values()),
        "asked_again": sum(outcome.asks - 1 for outcome in outcomes.values()),
        "prompt_tokens": totals["prompt"],
        "completion_tokens": totals["completion"],
    }
