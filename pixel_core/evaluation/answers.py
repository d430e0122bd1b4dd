"""The stages ``answers_*``: a model answers the held-out questions, greedily and sampled.

Answers are durable before they are scored: each finished chunk is written to the workspace, a
killed run resumes at the next, and scoring never generates.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pixel_core.config import AnswersConfig, DialogueConfig, SamplingConfig
from pixel_core.evaluation.chunks import (
    Chunk,
    ChunkAnswers,
    answer_chunks,
    chunks_of,
    collected,
)
from pixel_core.models.session import AnsweringSession
from pixel_core.records import Query, Rollout, Split, read_jsonl, write_jsonl
from pixel_core.rollout.queries import read_queries
from pixel_core.workflow.stage import StageContext, StoredInput
from pixel_core.workflow.store.identity import canonical

GREEDY, SAMPLED = "greedy", "sampled"


def run(context: StageContext, model_stage: str) -> dict[str, Any]:
    """Write ``queries.jsonl``, ``greedy.jsonl``, ``sampled.jsonl`` and ``settings.json``."""
    section = context.config.answers
    queries = read_queries(context.inputs["ingest"], Split.TEST)[: section.limit]
    chunks = plan_chunks(queries, section)
    opened = (
        section,
        context.config.dialogue,
        context.located("ingest"),
        context.located(model_stage),
    )
    answer_chunks(context, section.engine, HeldOutAnswerer, opened, chunks)
    return _collect(context, queries, chunks)


class HeldOutAnswerer:
    """Answers chunks in the process where it is opened."""

    def __init__(
        self,
        config: AnswersConfig,
        dialogue: DialogueConfig,
        ingest: StoredInput,
        model: StoredInput,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._config = config
        self._session = AnsweringSession(model, ingest, dialogue, config.engine, "answers", say)

    def __call__(self, chunk: Chunk) -> ChunkAnswers:
        config, session = self._config, self._session
        greedy = chunk.series == GREEDY
        session.begin("answers", config.seed, chunk.name)
        episodes = session.answer(
            session.open(chunk.queries),
            1 if greedy else config.samples,
            SamplingConfig(temperature=0.0) if greedy else config.sampling,
        )
        lines = [episode.record().model_dump_json() + "\n" for episode in episodes]
        return ChunkAnswers(
            "".join(lines).encode(),
            right=sum(episode.correct for episode in episodes),
            asked=len(episodes),
            usage=dict(session.take_usage()),
        )

    def close(self) -> None:
        self._session.close()


def _collect(
    context: StageContext, queries: list[Query], chunks: list[Chunk]
) -> dict[str, Any]:
    """Concatenate the chunks in question order."""
    section, out = context.config.answers, context.out
    write_jsonl(out / "queries.jsonl", queries)
    metrics: dict[str, Any] = {"questions": len(queries)}
    for decoding in (GREEDY, SAMPLED):
        path = out / f"{decoding}.jsonl"
        of_decoding = [chunk for chunk in chunks if chunk.series == decoding]
        path.write_bytes(collected(context.work, of_decoding))
        rollouts = list(read_jsonl(path, Rollout))
        metrics[f"{decoding}_accuracy"] = sum(r.correct for r in rollouts) / len(rollouts)
        metrics[f"{decoding}_rapr"] = sum(r.operations > 0 for r in rollouts) / len(rollouts)
    # Only settings that shape the answers; where they were made must not change the artifact.
    dialogue = context.config.dialogue
    # ``operations`` is left out at its default, as in keys: answers made before the option
    # existed keep their bytes.
    usual = {"operations"} if dialogue.operations == "offered" else None
    settings = {
        **canonical(section, "answers"),
        "dialogue": dialogue.model_dump(mode="json", exclude=usual),
    }
    (out / "settings.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    return metrics


def plan_chunks(queries: list[Query], config: AnswersConfig) -> list[Chunk]:
    """Chunk borders follow from the settings alone, so a resumed run gets the same ones."""
    return [
        chunk
        for decoding in (GREEDY, SAMPLED)
        for chunk in chunks_of(decoding, queries, config.chunk)
    ]
