"""Questions answered chunk by chunk, each durable before the next.

Worker processes on this machine, Ray actors, or one engine that batches many episodes itself
may answer; each writes a finished chunk to the workspace. A killed run loses the chunks in
progress and resumes with them; kept chunks are never asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

from pixel_core.config import EngineConfig
from pixel_core.errors import StageFailed
from pixel_core.records import Query
from pixel_core.workflow.parallel.ray_pool import Pool, put_chunk, share_out, sum_usage
from pixel_core.workflow.parallel.team import Interrupted, WorkerGroup, available, run_team
from pixel_core.workflow.stage import Progress, StageContext, Workspace


@dataclass(frozen=True)
class Chunk:
    """Questions answered as one batch, and the name their answers are kept under."""

    series: str
    number: int
    queries: tuple[Query, ...]

    @property
    def name(self) -> str:
        return f"{self.series}-{self.number:05d}"

    def __str__(self) -> str:
        return f"the {len(self.queries)} questions of {self.name}"


def chunks_of(series: str, queries: Sequence[Query], size: int) -> list[Chunk]:
    """Borders follow from the settings alone, so that a resumed run gets the same ones."""
    return [
        Chunk(series, start // size, tuple(queries[start : start + size]))
        for start in range(0, len(queries), size)
    ]


@dataclass(frozen=True)
class ChunkAnswers:
    """A chunk's stored answers, how many are right, and the endpoint's usage for them.
    ``beside``: stored with the answers, by a suffix of the chunk's name."""

    lines: bytes
    right: int
    asked: int
    usage: Mapping[str, int]
    beside: Mapping[str, bytes] = field(default_factory=dict)


class ChunkAnswerer(Protocol):
    """Answers chunks in the process where it was opened."""

    def __call__(self, chunk: Chunk) -> ChunkAnswers: ...

    def close(self) -> None: ...


#: Makes a ``ChunkAnswerer`` from picklable arguments; it also takes ``say``, which receives
#: messages for people. Must be importable in the workers.
Opener = Callable[..., ChunkAnswerer]


def answer_chunks(
    context: StageContext,
    engine: EngineConfig,
    opener: Opener,
    arguments: tuple[Any, ...],
    chunks: list[Chunk],
) -> None:
    """Make every chunk's answers durable in ``context.work``, and sum up their usage."""
    # A run killed after its last chunk needs no engine.
    if any(context.work.get(chunk.name) is None for chunk in chunks):
        _hand_out(context, engine, opener, arguments, chunks)
    sum_usage(context.work)


def work_through(
    team: WorkerGroup,
    opener: Opener,
    arguments: tuple[Any, ...],
    work: Workspace,
    chunks: list[Chunk],
) -> None:
    """Answer this worker's chunks, except those already durable. Loads no model if none are
    left."""
    mine = chunks[team.rank :: team.size]
    answering: ChunkAnswerer | None = None
    tally = _Tally(team.progress, len(mine))
    try:
        for chunk in mine:
            if work.get(chunk.name) is not None:
                tally.skip()
                continue
            if answering is None:
                answering = opener(*arguments, say=team.progress.note)
            tally.keep(work, chunk, answering(chunk))
            if team.interrupted():
                raise Interrupted(f"{chunk.name} and what came before it are kept")
    finally:
        if answering is not None:
            answering.close()


def collected(work: Workspace, chunks: Sequence[Chunk], suffix: str = "") -> bytes:
    """The chunks' answers, or the files kept beside them, concatenated in question order."""
    parts = []
    for chunk in chunks:
        data = work.get(chunk.name + suffix)
        if data is None:
            raise StageFailed(
                f"the answers of {chunk.name}{suffix} were written and are gone; run again"
            )
        parts.append(data)
    return b"".join(parts)


def _hand_out(
    context: StageContext,
    engine: EngineConfig,
    opener: Opener,
    arguments: tuple[Any, ...],
    chunks: list[Chunk],
) -> None:
    if engine.actors:
        _by_actors(context, engine, opener, arguments, chunks)
    elif engine.kind == "embedded":
        team = min(available(context.config.runtime.workers), len(chunks))
        run_team(
            work_through,
            (opener, arguments, context.work, chunks),
            shards=team,
            workers=team,
            progress=context.progress,
        )
    else:  # one engine is enough: it batches episodes itself
        alone = WorkerGroup(0, 1, (0,), 1, context.progress)
        work_through(alone, opener, arguments, context.work, chunks)


def _by_actors(
    context: StageContext,
    engine: EngineConfig,
    opener: Opener,
    arguments: tuple[Any, ...],
    chunks: list[Chunk],
) -> None:
    """As ``work_through``, with Ray actors, which may be on other machines."""
    work = context.work
    todo = [chunk for chunk in chunks if work.get(chunk.name) is None]
    tally = _Tally(context.progress, len(chunks))
    tally.skip(len(chunks) - len(todo))
    pool = Pool(engine.actors, engine.gpus_per_actor)
    with closing(share_out(pool, todo, opener, arguments, context.progress)) as done:
        for chunk, answered in done:
            tally.keep(work, chunk, answered)


class _Tally:
    """Keeps chunks, and reports progress and the number of right answers."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = self._right = self._asked = 0

    def skip(self, chunks: int = 1) -> None:
        self._done += chunks

    def keep(self, work: Workspace, chunk: Chunk, answered: ChunkAnswers) -> None:
        for suffix, data in answered.beside.items():
            work.put(chunk.name + suffix, data)
        # Last: a chunk counts as done once its answers are there.
        put_chunk(work, chunk.name, answered.lines, answered.usage)
        self._done += 1
        self._right += answered.right
        self._asked += answered.asked
        self._progress.update(self._done, self._total, accuracy=self._right / self._asked)
