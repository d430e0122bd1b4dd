"""The stages ``answers_<benchmark>_<row>``: a model answers a benchmark's questions.

Output is durable before it is scored and holds whole trajectories, so that another way of
scoring generates nothing. Chunks are kept as they are made (``chunks.py``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.config import DialogueConfig, EngineConfig, PipelineConfig, SamplingConfig
from pixel_core.evaluation.chunks import (
    Chunk,
    ChunkAnswers,
    answer_chunks,
    chunks_of,
    collected,
)
from pixel_core.evaluation.row_answers import ANSWERS, PROBE, QUERIES, SETTINGS
from pixel_core.models.loading import load_vocabulary
from pixel_core.models.session import AnsweringSession
from pixel_core.records import Query, Rollout, Split, read_jsonl, write_jsonl
from pixel_core.rollout.episode import Episode
from pixel_core.rollout.queries import read_queries
from pixel_core.rollout.renderer import Renderer
from pixel_core.statistics.metrics import summarize
from pixel_core.workflow.stage import StageContext, StoredInput
from pixel_core.workflow.store.identity import canonical

# How one row of a benchmark is asked: all settings that shape its answers, in one value.


@dataclass(frozen=True)
class Asking:
    """``endpoint_section``: the profile's section for the row's own endpoint; "" if the row
    uses the common engine."""

    dialogue: DialogueConfig
    engine: EngineConfig
    endpoint_section: str
    sampling: SamplingConfig
    samples: int
    #: None for greedy answers.
    seed: int | None
    #: Questions answered together; sampling streams are per chunk.
    chunk: int
    #: Whether to ask episodes with an operation once more, before its return.
    probe: bool

    @classmethod
    def of(cls, config: PipelineConfig, operations: bool, endpoint: str) -> Asking:
        """One row of ``benchmarks``; ``endpoint``: its name there, "" for our own models.

        The profile already checked that the settings fit each other.
        """
        section = config.benchmarks.answers
        engine, where = section.engine, ""
        if endpoint:
            asked = config.benchmarks.endpoints[endpoint]
            engine = EngineConfig(kind="endpoint", endpoint=asked)
            where = f"benchmarks.endpoints.{endpoint}"
        return cls(
            dialogue=section.dialogue(config.dialogue, operations=operations),
            engine=engine,
            endpoint_section=where,
            sampling=section.sampling,
            samples=section.samples,
            seed=section.seed if section.sampling.temperature else None,
            chunk=section.chunk,
            probe=section.probe and operations and not endpoint,
        )

    def settings(self, model: Path, queries: Sequence[Query]) -> dict[str, Any]:
        """The content of ``settings.json``: everything that changes scores, including prompt
        texts. Where the questions were sent (address, key name, workers) is left out.

        ``model``: the folder of the model's artifact. ``DataError`` if it has no vocabulary.
        """
        engine = canonical(self.engine, "engine")
        if self.engine.kind == "embedded":
            engine["dtype"] = "float32"
        prompts = Renderer(self.dialogue, load_vocabulary(model))
        kinds = sorted({query.is_video for query in queries})
        return {
            "dialogue": self.dialogue.model_dump(mode="json"),
            "engine": engine,
            "sampling": self.sampling.model_dump(mode="json"),
            "samples": self.samples,
            "seed": self.seed,
            "chunk": self.chunk,
            "probe": self.probe,
            "prompt": {
                "video" if video else "picture": dict(
                    zip(("before", "after"), prompts.around(video), strict=True)
                )
                for video in kinds
            },
        }


#: Suffix of a chunk's probe file in the workspace.
_PROBE = ".probe"
#: Pixels of pictures opened together, 3 bytes each: chunks of very large pictures are
#: answered in several batches.
_PIXELS_AT_ONCE = 400_000_000


def run(
    context: StageContext,
    questions_stage: str,
    model_stage: str,
    operations: bool,
    endpoint: str,
) -> dict[str, Any]:
    """Write ``queries.jsonl``, ``answers.jsonl`` (rollouts, ``samples`` a question, in order),
    ``settings.json``, and, if the probe is on, ``probe.jsonl``.

    Raises ``DataError`` without questions, and what the engine raises.
    """
    section = context.config.benchmarks.answers
    asking = Asking.of(context.config, operations, endpoint)
    queries = read_queries(context.inputs[questions_stage], Split.TEST)
    settings = asking.settings(context.inputs[model_stage], queries)
    if section.probe and endpoint:
        context.progress.note("no probe of this row: an endpoint can't go on within a turn")
    chunks = chunks_of("answers", queries, section.chunk)
    opened = (asking, context.located(questions_stage), context.located(model_stage))
    answer_chunks(context, asking.engine, BenchmarkAnswerer, opened, chunks)

    out = context.out
    write_jsonl(out / QUERIES, queries)
    (out / ANSWERS).write_bytes(collected(context.work, chunks))
    metrics = _metrics(queries, list(read_jsonl(out / ANSWERS, Rollout)))
    if asking.probe:
        (out / PROBE).write_bytes(collected(context.work, chunks, _PROBE))
        metrics["probed"] = sum(1 for _ in read_jsonl(out / PROBE, Rollout))
    text = json.dumps(settings, indent=1, ensure_ascii=False, allow_nan=False)
    (out / SETTINGS).write_text(text + "\n", encoding="utf-8")
    return metrics


class BenchmarkAnswerer:
    """Answers chunks in the process where it is opened."""

    def __init__(
        self,
        asking: Asking,
        questions: StoredInput,
        model: StoredInput,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._asking = asking
        self._session = AnsweringSession(
            model,
            questions,
            asking.dialogue,
            asking.engine,
            "benchmarks.answers",
            say,
            asking.endpoint_section,
        )

    def __call__(self, chunk: Chunk) -> ChunkAnswers:
        asking, session = self._asking, self._session
        session.begin("benchmarks", asking.seed, chunk.name)
        answers: list[Rollout] = []
        before: list[Rollout] = []
        for queries in _batches(chunk.queries):
            openings = session.open(queries)
            episodes = session.answer(openings, asking.samples, asking.sampling)
            answers += _records(episodes)
            if asking.probe:
                probed = session.answer_before_looking(openings, episodes, asking.sampling)
                before += _records(probed)
        return ChunkAnswers(
            _lines(answers),
            right=sum(rollout.correct for rollout in answers),
            asked=len(answers),
            usage=dict(session.take_usage()),
            beside={_PROBE: _lines(before)} if asking.probe else {},
        )

    def close(self) -> None:
        self._session.close()


def _batches(queries: Sequence[Query]) -> Iterator[list[Query]]:
    """The queries in order, in batches whose pictures fit in memory."""
    batch: list[Query] = []
    pixels = 0
    for query in queries:
        own = sum(picture.width * picture.height for picture in query.pictures)
        if batch and pixels + own > _PIXELS_AT_ONCE:
            yield batch
            batch, pixels = [], 0
        batch.append(query)
        pixels += own
    yield batch


def _records(episodes: Sequence[Episode]) -> list[Rollout]:
    return [episode.record() for episode in episodes]


def _lines(rollouts: Sequence[Rollout]) -> bytes:
    return "".join(rollout.model_dump_json() + "\n" for rollout in rollouts).encode()


def _metrics(queries: Sequence[Query], rollouts: Sequence[Rollout]) -> dict[str, Any]:
    """For monitoring: accuracy here uses the rewards' strict rule; another stage scores."""
    summary = summarize(rollouts)
    return {
        "questions": len(queries),
        "accuracy": summary.accuracy,
        "rapr": summary.rapr,
        "truncated": summary.truncated,
    }
