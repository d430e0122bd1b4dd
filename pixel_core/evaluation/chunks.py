"""Questions answered chunk by chunk, each durable before the next.

The answering side - worker processes of this machine, Ray actors, or one engine that works on
many episodes at once by itself - a chunk is written to the workspace when it is done. A killed
run loses the chunks that were being answered and goes on with them; what was kept is never
asked again.
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
    """Questions answered as one batch, and where their answers are kept."""

    series: str
    number: int
    queries: tuple[Query, ...]

    @property
    def name(self) -> str:
        return f"{self.series}-{self.number:05d}"

    def __str__(self) -> str:
        return f"the {len(self.queries)} questions of {self.name}"


def chunks_of(series: str, queries: Sequence[Query], size: int) -> list[Chunk]:
    """Borders follow from the settings, so that a resumed run meets them again."""
    return [
        Chunk(series, start // size, tuple(queries[start : start + size]))
        for start in range(0, len(queries), size)
    ]


@dataclass(frozen=True)
class ChunkAnswers:
    """A chunk's answers as they are kept, how many of them are right, and what an endpoint
    was asked for them. ``beside``: kept with the answers, by a suffix of the chunk's name."""

    lines: bytes
    right: int
    asked: int
    usage: Mapping[str, int]
    beside: Mapping[str, bytes] = field(default_factory=dict)


class ChunkAnswerer(Protocol):
    """Answers chunks in the process where it was opened."""

    def __call__(self, chunk: Chunk) -> ChunkAnswers: ...

    def close(self) -> None: ...


#: Makes a ``ChunkAnswerer`` of arguments that cross a process border; it also takes ``say``,
#: which hears what a person should know. Importable where the workers are.
Opener = Callable[..., ChunkAnswerer]


def answer_chunks(
    context: StageContext,
    engine: EngineConfig,
    opener: Opener,
    arguments: tuple[Any, ...],
    chunks: list[Chunk],
) -> None:
    """Make every chunk's answers durable in ``context.work``, and sum up what they cost."""
    # A run that was ended while it collected them needs nobody to answer.
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
    """Answer this worker's chunks, leaving out those already durable. Nothing is opened, no
    model loaded, where there are none."""
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
    """The chunks' answers, or what was kept beside them, put together in question order."""
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
    else:  # one engine is enough: it works on many episodes at once by itself
        alone = WorkerGroup(0, 1, (0,), 1, context.progress)
        work_through(alone, opener, arguments, context.work, chunks)


def _by_actors(
    context: StageContext,
    engine: EngineConfig,
    opener: Opener,
    arguments: tuple[Any, ...],
    chunks: list[Chunk],
) -> None:
    """As ``work_through``, by Ray actors, which may be on other machines."""
    work = context.work
    todo = [chunk for chunk in chunks if work.get(chunk.name) is None]
    tally = _Tally(context.progress, len(chunks))
    tally.skip(len(chunks) - len(todo))
    pool = Pool(engine.actors, engine.gpus_per_actor)
    with closing(share_out(pool, todo, opener, arguments, context.progress)) as done:
        for chunk, answered in done:
            tally.keep(work, chunk, answered)


class _Tally:
    """Keeps chunks, and tells how far they are and how many answers are right."""

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
