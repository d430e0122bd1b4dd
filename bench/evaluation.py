"""Evaluation questions a minute: a benchmark's answers beside the plain loop people write.

    python -m bench.evaluation --store STORE [--questions 200] [--repeats 5] [--json]

The store's latest policy answers its own test questions, greedily, on two cores. Ours: what the
stage ``answers_<benchmark>_<row>`` runs in each of its workers, here two that have the model
loaded, each with half of the questions as one chunk: pictures read, episodes run as one batch,
trajectories written down. Peer: the same questions one after the other, transformers'
``generate`` for every turn of each over the whole conversation so far, with our own prompts,
operations and picture code. The peer is given the better of two ways to use two cores, each
tried once: two processes of one thread, or one of two threads. Nobody's start or loading is
counted.

Last: how much of a chunk's time is not the engine's.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from bench.measure import Figure, Times, arguments, in_turns, tell
from bench.rollout_engines import TransformersEngine
from bench.rollouts import GREEDY, Watched
from pixel_core.config.profile import load_profile
from pixel_core.evaluation.benchmark_answers import Asking, BenchmarkAnswerer
from pixel_core.evaluation.chunks import Chunk
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.models.loading import load_model
from pixel_core.records import Query, Rollout, Split
from pixel_core.rollout.episode import run_episodes
from pixel_core.rollout.queries import QueryReader, read_queries
from pixel_core.rollout.renderer import Renderer
from pixel_core.workflow.stage import LocalFolder
from pixel_core.workflow.store import Store

#: Answers to these queries, in order.
Answers = Callable[[Sequence[Query]], list[Rollout]]
_CORES = 2


def ours(ingest: Path, model: Path, profile: str) -> Answers:
    """The stage's own answerer; each call is one chunk."""
    config = load_profile(profile, ["benchmarks.names=drawn"])
    asking = Asking.of(config, True, "")
    answerer = BenchmarkAnswerer(asking, LocalFolder(ingest), LocalFolder(model))

    def answer(queries: Sequence[Query]) -> list[Rollout]:
        answered = answerer(Chunk("answers", 0, tuple(queries)))
        return [Rollout.model_validate_json(line) for line in answered.lines.splitlines()]

    return answer


def plain(ingest: Path, model: Path, profile: str) -> Answers:
    """One question after another."""
    loaded, vocabulary = load_model(model)
    prompts = Renderer(load_profile(profile).dialogue, vocabulary)
    questions = QueryReader(ingest, prompts)
    engine = TransformersEngine(loaded, vocabulary)

    def answer(queries: Sequence[Query]) -> list[Rollout]:
        return [
            run_episodes(engine, prompts, [questions.open(query)], 1, GREEDY)[0].record()
            for query in queries
        ]

    return answer


class Workers:
    """Processes that each answer a share of the questions, with the model loaded.

    ``processor``: CPU seconds of each call, over all processes.
    """

    def __init__(
        self, kind: Callable[..., Answers], place: tuple[Any, ...], processes: int
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.processor: list[float] = []
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(processes):
            pipe, theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(theirs, kind, place, _CORES // processes), daemon=True
            )
            process.start()
            self._pipes.append(pipe)
            self._processes.append(process)

    def __call__(self, queries: Sequence[Query]) -> list[Rollout]:
        share = -(-len(queries) // len(self._pipes))
        for rank, pipe in enumerate(self._pipes):
            pipe.send(list(queries[rank * share : (rank + 1) * share]))
        answered = [pipe.recv() for pipe in self._pipes]
        self.processor.append(sum(seconds for _, seconds in answered))
        return [rollout for rollouts, _ in answered for rollout in rollouts]

    def close(self) -> None:
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            pipe.send(None)
            process.join()


def _serve(
    pipe: Connection, kind: Callable[..., Answers], place: tuple[Any, ...], threads: int
) -> None:
    answer = kind(*place)
    torch.set_num_threads(threads)
    while (queries := pipe.recv()) is not None:
        began = time.process_time()
        answers = answer(queries)
        pipe.send((answers, time.process_time() - began))


def measure(asked: argparse.Namespace) -> list[Figure]:
    store = Store.open(asked.store)
    found = [store.latest(stage) for stage in ("ingest", "rl")]
    if None in found:
        raise SystemExit(f"{asked.store} holds no policy: run the pipeline there")
    ingest, model = (artifact.local() for artifact in found if artifact is not None)
    place = (ingest, model, asked.profile)
    queries = read_queries(ingest, Split.TEST)[: asked.questions]
    with ExitStack() as stack:
        teams: dict[str, Workers] = {}
        for name, kind, processes in (
            ("ours", ours, _CORES),
            ("two processes", plain, _CORES),
            ("two threads", plain, 1),
        ):
            teams[name] = Workers(kind, place, processes)
            stack.callback(teams[name].close)
        for team in teams.values():  # wait until all have loaded
            team(queries[:_CORES])
        mine, _ = _timed(teams["ours"], queries)
        tried = {name: _timed(team, queries) for name, team in teams.items() if name != "ours"}
        best = min(tried, key=lambda name: tried[name][1])
        theirs, _ = tried[best]
        times = in_turns(
            {name: lambda name=name: teams[name](queries) for name in ("ours", best)},
            asked.repeats,
            warm_up=0,  # each has answered once
        )
    work = {name: Times(tuple(teams[name].processor[-asked.repeats :])) for name in times}
    same = sum(one == other for one, other in zip(mine, theirs, strict=True))
    right = sum(rollout.correct for rollout in mine)
    looked = sum(rollout.operations > 0 for rollout in mine)
    minutes = len(queries) * 60
    ways = ", ".join(f"{name} {minutes / seconds:,.0f}" for name, (_, seconds) in tried.items())
    return [
        times["ours"].rate(
            f"benchmark questions, {len(queries)}, greedy, {_CORES} workers",
            minutes,
            "a minute",
            peer=times["ours"].times_as_fast_as(times[best]),
            note=f"the store's policy: {right} right, {looked} with an operation; peer: "
            f"transformers' generate, a question and turn at a time ({ways} a minute); "
            f"the same trajectories in {same} of {len(queries)}",
        ),
        work["ours"].each(
            "processor time a question",
            len(queries),
            peer=work["ours"].times_as_fast_as(work[best]),
            note="of the same turns; others at work on the machine change it less",
        ),
        *_overhead(place, queries, asked.repeats),
    ]


def _timed(team: Workers, queries: Sequence[Query]) -> tuple[list[Rollout], float]:
    began = time.perf_counter()
    answers = team(queries)
    return answers, time.perf_counter() - began


def _overhead(
    place: tuple[Path, Path, str], queries: Sequence[Query], repeats: int
) -> list[Figure]:
    """Parts of one worker's chunk: the loop besides the engine, and reading its pictures."""
    torch.set_num_threads(1)
    ingest, model, profile = place
    loaded, vocabulary = load_model(model)
    prompts = Renderer(load_profile(profile).dialogue, vocabulary)
    questions = QueryReader(ingest, prompts)
    watched = Watched(EmbeddedEngine(loaded, vocabulary))
    chunk = queries[: -(-len(queries) // _CORES)]
    shares = []

    def answer() -> None:
        openings = [questions.open(query) for query in chunk]
        watched.seconds, began = 0.0, time.perf_counter()
        run_episodes(watched, prompts, openings, 1, GREEDY)
        shares.append(100 * (1 - watched.seconds / (time.perf_counter() - began)))

    def read() -> None:
        for query in chunk:
            questions.open(query)

    times = in_turns({"answer": answer, "read": read}, repeats)
    shares.sort()
    reading = 100 * times["read"].median / times["answer"].median
    return [
        Figure(
            "the loop beside the engine",
            shares[len(shares) // 2],
            "% of run_episodes",
            shares[0],
            shares[-1],
            note=f"a chunk of {len(chunk)} questions",
        ),
        Figure("reading the questions' pictures", reading, "% of a chunk's time"),
    ]


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=5)
    options.add_argument("--store", required=True, help="the store of a finished run")
    options.add_argument("--profile", default="tiny", help="that run's profile")
    options.add_argument("--questions", type=int, default=200, help="asked in a turn")
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    tell(given, measure(given))
