"""The stage ``text_only``: rejection sampling, so that the warm start keeps answering at once
where that is enough (paper, section 4.1: 2,000 of 7,500 trajectories).

The base model answers train questions, drawn in an order of their own; its right answers
without an operation become trajectories, at most one a question. A question that a synthesised
trajectory is about may be drawn as well: the model then learns that it can be answered both
ways. Questions are asked in chunks until the wanted number is kept. A chunk is durable when
it is done, its random stream is named by its number, and the first chunks that suffice are
used: the result does not depend on how many workers sampled, or on when they were cut short.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from pixel_core.config import DialogueConfig, TextOnlyConfig
from pixel_core.errors import StageFailed
from pixel_core.records import Trajectory, write_jsonl
from pixel_core.statistics.intervals import wilson
from pixel_core.training.batching import DrawnOrder
from pixel_core.training.text_only_chunk import (
    ChunkSampler,
    SampledQuestion,
    chunk_count,
    chunk_name,
    dump,
    load,
)
from pixel_core.workflow.parallel.ray_pool import Pool, put_chunk, share_out, sum_usage
from pixel_core.workflow.parallel.team import Interrupted, WorkerGroup, available, run_team
from pixel_core.workflow.stage import StageContext, StoredInput, Workspace

TRAJECTORIES = "trajectories.jsonl"


def run(context: StageContext) -> dict[str, Any]:
    """Write ``trajectories.jsonl``; an empty one, without a model loaded, when share is 0."""
    section = context.config.text_only
    if not section.share:
        write_jsonl(context.out / TRAJECTORIES, [])
        return {"trajectories": 0, "wanted": 0}
    wanted = wanted_count(section.share, _lines(context.inputs["synthesize"] / TRAJECTORIES))
    order = DrawnOrder.of(
        context.inputs["annotate"] / "annotations.jsonl", f"text_only/{section.seed}"
    )
    chunks = chunk_count(order, section)
    opened = (
        section,
        context.config.dialogue,
        context.located("ingest"),
        context.located("base_model"),
    )
    if section.engine.actors:
        _by_actors(context, (*opened, order), wanted)
    elif section.engine.kind == "embedded":
        team = max(1, min(available(context.config.runtime.workers), chunks))
        run_team(
            sample,
            (*opened, context.work, order, wanted),
            shards=team,
            workers=team,
            progress=context.progress,
        )
    else:  # one engine is enough: it works on many episodes at once by itself
        alone = WorkerGroup(0, 1, (0,), 1, context.progress)
        sample(alone, *opened, context.work, order, wanted)
    sum_usage(context.work)
    return _collect(context, chunks, wanted)


def wanted_count(share: float, others: int) -> int:
    """How many trajectories beside ``others`` make up ``share`` of all; at least one."""
    return max(1, round(share / (1 - share) * others))


def sample(
    team: WorkerGroup,
    config: TextOnlyConfig,
    dialogue: DialogueConfig,
    ingest: StoredInput,
    base_model: StoredInput,
    work: Workspace,
    order: DrawnOrder,
    wanted: int,
) -> None:
    """Ask chunk after chunk, the team's workers side by side, until enough is kept."""
    import torch  # here, in a worker: what hands the work out does without

    sampler: ChunkSampler | None = None
    chunks = chunk_count(order, config)
    asked = kept = 0
    with ExitStack() as opened:
        for first in range(0, chunks, team.size):
            number = first + team.rank
            mine: list[SampledQuestion] = []
            if number < chunks:
                stored = work.get(chunk_name(number))
                if stored is None:
                    if sampler is None:
                        say = team.progress.note
                        sampler = ChunkSampler(config, dialogue, ingest, base_model, order, say)
                        opened.callback(sampler.close)
                    mine, usage = sampler(number)
                    put_chunk(work, chunk_name(number), dump(mine), usage)
                else:
                    mine = load(stored)
            sums = torch.tensor(
                [
                    len(mine),
                    sum(one.trajectory is not None for one in mine),
                    team.interrupted(),
                ],
                dtype=torch.float64,
            )
            more_asked, more_kept, stop = team.sum(sums).tolist()
            asked, kept = asked + int(more_asked), kept + int(more_kept)
            team.progress.update(
                min(kept, wanted), wanted, asked=asked, acceptance=kept / asked
            )
            if kept >= wanted:
                return
            if stop:
                raise Interrupted(f"{asked} questions were asked, and their answers are kept")


def _by_actors(context: StageContext, opened: tuple[Any, ...], wanted: int) -> None:
    """As ``sample``, by Ray actors, which may be on other machines. Chunks are handed out in
    order until those that are done suffice; the ones still under way are waited for, so the
    first chunks that suffice are always there."""
    section, work, order = context.config.text_only, context.work, opened[-1]
    chunks = chunk_count(order, section)
    asked = kept = 0

    def count(done: list[SampledQuestion]) -> None:
        nonlocal asked, kept
        asked += len(done)
        kept += sum(one.trajectory is not None for one in done)
        context.progress.update(min(kept, wanted), wanted, asked=asked, acceptance=kept / asked)

    def todo() -> Iterator[int]:
        for number in range(chunks):
            if kept >= wanted:
                return
            stored = work.get(chunk_name(number))
            if stored is None:
                yield number
            else:
                count(load(stored))

    pool = Pool(section.engine.actors, section.engine.gpus_per_actor)
    with closing(share_out(pool, todo(), ChunkSampler, opened, context.progress)) as done:
        for number, (mine, usage) in done:
            put_chunk(work, chunk_name(number), dump(mine), usage)
            count(mine)


def _collect(context: StageContext, chunks: int, wanted: int) -> dict[str, Any]:
    """Write what the first chunks that suffice have, no more than is wanted; count it."""
    totals: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    accepted = 0

    def kept() -> Iterator[Trajectory]:
        nonlocal accepted
        for number in range(chunks):
            if accepted >= wanted:
                return
            data = context.work.get(chunk_name(number))
            if data is None:
                raise StageFailed(
                    f"the answers of {chunk_name(number)} were written and are gone; run again"
                )
            for one in load(data):
                totals.update(asked=1, answers=one.answers, right=one.right)
                faults.update({fault.value: count for fault, count in one.faults.items()})
                if one.trajectory is not None:
                    accepted += 1
                    if accepted <= wanted:
                        yield one.trajectory

    count = write_jsonl(context.out / TRAJECTORIES, kept())
    if count < wanted:
        context.progress.note(
            f"{count} text-only trajectories of {wanted} wanted: the base model answered "
            f"{accepted} of all {totals['asked']} train questions rightly and without an "
            "operation. The warm start has fewer of them; raise text_only.samples, give "
            "ingest more train seeds, or lower text_only.share"
        )
    interval = wilson(accepted, totals["asked"])
    return {
        "trajectories": count,
        "wanted": wanted,
        "asked": totals["asked"],
        "accepted": accepted,
        "acceptance": accepted / totals["asked"],
        "acceptance_low": interval.low,
        "acceptance_high": interval.high,
        "answers": totals["answers"],
        "right_answers": totals["right"],
        "faults": dict(sorted(faults.items())),
    }


def _lines(path: Path) -> int:
    with path.open("rb") as lines:
        return sum(1 for _ in lines)
