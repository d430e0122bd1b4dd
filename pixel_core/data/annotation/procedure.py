"""A seed's annotation from start to end: a generator that knows nothing of endpoints."""

from __future__ import annotations

from pixel_core.config import OpenAIConfig
from pixel_core.data.annotation.locate import locate
from pixel_core.data.annotation.outcome import AnnotationOutcome, GaveUp, ReplyTally
from pixel_core.data.annotation.propose import propose
from pixel_core.data.annotation.requests import Procedure, RequestTask
from pixel_core.data.annotation.texts import Texts
from pixel_core.data.annotation.verify import look_again
from pixel_core.records import Annotation, Cue, FrameCue, SecondLook, Seed


def annotate_seed(seed: Seed, config: OpenAIConfig) -> Procedure[AnnotationOutcome]:
    """Locate the evidence, or propose a question for a seed without one; then verify.

    A cue given by the source is kept and not asked for.
    """
    tally, kind = ReplyTally(), seed.kind
    try:
        cue: Cue | FrameCue | None
        if seed.asks:
            located = yield from locate(seed, config, tally)
            task, cue, texts = RequestTask.LOCATE, located.cue, located.texts
        else:
            proposed = yield from propose(seed, config, tally)
            task, cue, texts = RequestTask.PROPOSE, proposed.cue, proposed.texts
            seed = proposed.seed
        look: SecondLook | None = None
        if config.verify.votes:
            look = yield from look_again(seed, cue, config, tally)
    except GaveUp as end:
        return AnnotationOutcome(kind, None, end.reason, tally)
    return AnnotationOutcome(
        kind, _annotation(seed, cue, texts, look, task, config), None, tally
    )


def _annotation(
    seed: Seed,
    cue: Cue | FrameCue | None,
    texts: Texts,
    look: SecondLook | None,
    task: RequestTask,
    config: OpenAIConfig,
) -> Annotation:
    found = {}
    if not seed.subject and cue is not None:
        found["subject"] = texts.subject
    return Annotation(
        seed=seed.model_copy(update=found),
        cue=cue,
        author=author(config, task, by_source=seed.cue is not None),
        whole_view=texts.whole_view,
        local_view=texts.local_view,
        look=look,
    )


def author(config: OpenAIConfig, task: RequestTask, *, by_source: bool = False) -> str:
    """The author: "openai:<model>@locate-1,look-1", or "source+openai:..." for a given cue."""
    asked = [task, RequestTask.LOOK] if config.verify.votes else [task]
    versions = ",".join(f"{name}-{getattr(config.prompts, name.value)}" for name in asked)
    return f"{'source+' if by_source else ''}openai:{config.model}@{versions}"
