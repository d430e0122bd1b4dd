"""Rollouts a second: the episode loop over the embedded engine, one thread.

    python -m bench.rollouts [--store STORE] [--queries 8] [--group 8] [--repeats 7] [--json]

With a store the latest policy in it speaks; without one, a model with random weights does
the same work and a script then puts words in its mouth: one zoom, then an answer. Greedy,
so that the peer says the same words. Peer: the same loop over transformers' ``generate``,
which takes one rollout a query and turn by turn reads its whole transcript anew; compared
a rollout, over the queries whose rollouts have as many tokens on both sides. Last: the
share of a batch's time that is not the engine's (parsing, zooming, bookkeeping).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from bench.material import make, model
from bench.measure import Figure, arguments, in_turns, tell
from bench.rollout_engines import ScriptedWords, Speaking, TransformersEngine, script_of
from pixel_core.config import SamplingConfig
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.records import Split
from pixel_core.rollout.engine import Completion, Engine
from pixel_core.rollout.episode import Episode, run_episodes
from pixel_core.rollout.queries import QueryReader, read_queries
from pixel_core.rollout.transcript import Transcript

GREEDY = SamplingConfig(temperature=0.0)


class Watched:
    """Wraps an engine and adds up the time spent in it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.seconds = 0.0

    def generate(
        self, transcripts: Sequence[Transcript], sampling: SamplingConfig, max_new_tokens: int
    ) -> list[Completion]:
        started = time.perf_counter()
        try:
            return self.engine.generate(transcripts, sampling, max_new_tokens)
        finally:
            self.seconds += time.perf_counter() - started

    def forget(self) -> None:
        self.engine.forget()


def measure(asked: argparse.Namespace) -> list[Figure]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        material = make(Path(folder), asked.queries)
        policy, prompts = model(material, asked.store, "rl")
        questions = QueryReader(material.inputs["ingest"], prompts)
        queries = read_queries(material.inputs["ingest"], Split.TRAIN)
        openings = [questions.open(query) for query in queries]
    words: ScriptedWords | None = None
    if not asked.store:
        words = ScriptedWords(script_of(prompts, asked.group))
    vocabulary = prompts.vocabulary
    ours: Any = (
        Speaking(policy, vocabulary, words) if words else EmbeddedEngine(policy, vocabulary)
    )
    watched = Watched(ours)
    peer = TransformersEngine(policy, vocabulary, words)
    mine = run_episodes(watched, prompts, openings, asked.group, GREEDY)[:: asked.group]
    theirs = run_episodes(peer, prompts, openings, 1, GREEDY)
    same = [n for n, pair in enumerate(zip(mine, theirs, strict=True)) if _alike(*pair)]
    if not same:
        raise SystemExit("no rollout has as many tokens as the peer's: nothing to compare")
    kept = [openings[number] for number in same]
    sampled = SamplingConfig()
    candidates: dict[str, Any] = {
        "ours": lambda: run_episodes(watched, prompts, kept, asked.group, GREEDY),
        "peer": lambda: run_episodes(peer, prompts, kept, 1, GREEDY),
    }
    watched.seconds, spent = 0.0, time.perf_counter()
    for _ in range(asked.repeats):
        candidates["ours"]()
    spent = time.perf_counter() - spent
    loop = 1 - watched.seconds / spent
    if words is None:
        candidates["sampled"] = lambda: run_episodes(
            watched, prompts, openings, asked.group, sampled
        )
    times = in_turns(candidates, asked.repeats)
    rollouts = len(kept) * asked.group
    ratio = times["ours"].times_as_fast_as(times["peer"]) * asked.group
    spoken = [mine[number] for number in same]
    zooms = sum(episode.operations for episode in spoken) / len(spoken)
    tokens = sum(episode.sampled for episode in spoken) / len(spoken)
    speaker = "scripted words" if words else "the store's policy"
    figures = [
        times["ours"].rate(
            f"rollouts, {len(kept)} queries x {asked.group}, greedy",
            rollouts,
            "a second",
            peer=ratio,
            note=f"{speaker}: {tokens:.0f} tokens, {zooms:.2f} zooms a rollout; peer: "
            f"transformers' generate, a query at a time, equal lengths in "
            f"{len(same)} of {len(openings)} queries",
        ),
        Figure("the loop beside the engine", 100 * loop, "% of a batch's time"),
    ]
    if "sampled" in times:
        count = len(openings) * asked.group
        figures.append(times["sampled"].rate("rollouts, sampled", count, "a second"))
    return figures


def _alike(ours: Episode, theirs: Episode) -> bool:
    return (ours.sampled, ours.operations) == (theirs.sampled, theirs.operations)


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=7)
    options.add_argument("--queries", type=int, default=8, help="questions a turn")
    options.add_argument("--group", type=int, default=8, help="rollouts of a question")
    options.add_argument("--store", default="", help="a store with a trained policy")
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    tell(given, measure(given))
