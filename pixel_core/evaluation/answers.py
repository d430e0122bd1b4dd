"""The stages ``answers_*``: a model answers the held-out questions, greedily and sampled.

Answers are durable before they are scored: a chunk is written to the workspace when it is
done, a killed run goes on with the next, and scoring never generates.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.config import AnswersConfig, DialogueConfig, SamplingConfig
from pixel_core.dialogue.questions import read_queries
from pixel_core.errors import StageFailed
from pixel_core.records import Query, Rollout, Split, read_jsonl, write_jsonl
from pixel_core.stage import StageContext, Workspace
from pixel_core.workers.answering import Respondent
from pixel_core.workers.team import Interrupted, Team, available, run_team

GREEDY, SAMPLED = "greedy", "sampled"


def run(context: StageContext, model_stage: str) -> dict[str, Any]:
    """Write ``queries.jsonl``, ``greedy.jsonl``, ``sampled.jsonl`` and ``settings.json``."""
    section, dialogue = context.config.answers, context.config.dialogue
    ingest = context.inputs["ingest"]
    queries = read_queries(ingest, Split.TEST)[: section.limit]
    chunks = plan_chunks(queries, section)
    team = min(available(context.config.runtime.workers), len(chunks))
    run_team(
        answer,
        (section, dialogue, ingest, context.inputs[model_stage], context.work, chunks),
        shards=team,
        workers=team,
        progress=context.progress,
    )
    return _collect(context, queries, chunks)


@dataclass(frozen=True)
class Chunk:
    """Questions answered as one batch, and where their answers are kept."""

    decoding: str
    number: int
    queries: tuple[Query, ...]

    @property
    def name(self) -> str:
        return f"{self.decoding}-{self.number:05d}"


def plan_chunks(queries: list[Query], config: AnswersConfig) -> list[Chunk]:
    """Chunk borders follow from the settings, so that a resumed run meets them again."""
    return [
        Chunk(decoding, start // config.chunk, tuple(queries[start : start + config.chunk]))
        for decoding in (GREEDY, SAMPLED)
        for start in range(0, len(queries), config.chunk)
    ]


def answer(
    team: Team,
    config: AnswersConfig,
    dialogue: DialogueConfig,
    ingest: Path,
    model_folder: Path,
    work: Workspace,
    chunks: list[Chunk],
) -> None:
    """Answer this worker's chunks, leaving out those already durable."""
    respondent = Respondent(model_folder, ingest, dialogue)
    mine = chunks[team.rank :: team.size]
    right = asked = 0
    for done, chunk in enumerate(mine, 1):
        if work.get(chunk.name) is not None:
            continue
        greedy = chunk.decoding == GREEDY
        respondent.begin("answers", config.seed, chunk.name)
        episodes = respondent.answer(
            respondent.open(chunk.queries),
            1 if greedy else config.samples,
            SamplingConfig(temperature=0.0) if greedy else config.sampling,
        )
        lines = [episode.record().model_dump_json() + "\n" for episode in episodes]
        work.put(chunk.name, "".join(lines).encode())
        right += sum(episode.correct for episode in episodes)
        asked += len(episodes)
        team.progress.update(done, len(mine), accuracy=right / asked)
        if team.interrupted():
            raise Interrupted(f"{chunk.name} and what came before it are kept")


def _collect(
    context: StageContext, queries: list[Query], chunks: list[Chunk]
) -> dict[str, Any]:
    """Put the chunks together in question order."""
    section, out = context.config.answers, context.out
    write_jsonl(out / "queries.jsonl", queries)
    metrics: dict[str, Any] = {"questions": len(queries)}
    for decoding in (GREEDY, SAMPLED):
        answers = b""
        for chunk in chunks:
            if chunk.decoding != decoding:
                continue
            data = context.work.get(chunk.name)
            if data is None:
                raise StageFailed(
                    f"the answers of {chunk.name} were written and are gone; run again"
                )
            answers += data
        path = out / f"{decoding}.jsonl"
        path.write_bytes(answers)
        rollouts = list(read_jsonl(path, Rollout))
        metrics[f"{decoding}_accuracy"] = sum(r.correct for r in rollouts) / len(rollouts)
        metrics[f"{decoding}_rapr"] = sum(r.operations > 0 for r in rollouts) / len(rollouts)
    settings = {
        **section.model_dump(mode="json"),
        "dialogue": context.config.dialogue.model_dump(mode="json"),
    }
    (out / "settings.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    return metrics
