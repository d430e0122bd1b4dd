"""Selective sample replay (SSR): earlier rollouts fill the places of groups without a signal.

The method is VL-Rethinker's (arXiv 2504.08837), which the paper takes over; our reading:

* Remembered is every rollout of a group with an advantage that has an advantage of its own
  and at least one trained token: as it was sampled, with the advantage it had in its group.
* A step first forms its batch of fresh groups. Where uniform groups leave places, samples
  are drawn for them without replacement, with weights |advantage|^a, from what was remembered
  in EARLIER steps; then the step's own rollouts are remembered, the oldest giving way. A
  drawn sample stays in the buffer.
* In the paper the buffer lives from one synchronisation of the sampling policy to the next
  and is then cleared. Here every step samples with its own weights, so that time is said in
  steps (``clear_every``), and ``max_age`` bounds each sample's own.
* The importance ratio of an old sample is against the log-probabilities it was sampled with,
  so the clip bounds how far it can pull.

Each shard has a buffer and a random stream of its own. A buffer holds no pictures: which part
of which picture was shown is enough to cut it again, to the same bits.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from pixel_core.config import ReplayConfig
from pixel_core.records import Box
from pixel_core.rollout.episode import Episode, RenderedPrompt
from pixel_core.rollout.operations import ShownPicture
from pixel_core.rollout.transcript import Transcript, Visual
from pixel_core.training.policy_loss import Sample
from pixel_core.workflow.parallel.team import WorkerGroup

#: A shown picture: which of the query's it is cut from, the cut in its pixels (x1, y1, x2,
#: y2), and its shown (width, height).
Cut = tuple[int, tuple[int, int, int, int], tuple[int, int]]


@dataclass(frozen=True)
class Remembered:
    """A rollout as it was sampled at ``step``; tensors (t) over its transcript's tokens."""

    step: int
    #: The query's place among the training queries.
    query: int
    advantage: float
    tokens: Tensor
    weights: Tensor
    logprobs: Tensor
    cuts: list[Cut]

    @classmethod
    def of(cls, step: int, query: int, advantage: float, episode: Episode) -> Remembered:
        transcript = episode.transcript
        return cls(
            step,
            query,
            advantage,
            torch.tensor(transcript.tokens),
            torch.tensor(transcript.weights),
            torch.tensor(transcript.logprobs, dtype=torch.float64),
            [(shown.picture, shown.region.as_tuple(), shown.size) for shown in episode.shown],
        )


class ReplayBuffer:
    """One shard's samples, oldest first."""

    def __init__(self, config: ReplayConfig) -> None:
        self.config = config
        self.samples: list[Remembered] = []

    def begin(self, step: int) -> None:
        """Drop what is too old at ``step``, or everything where the buffer is cleared."""
        config = self.config
        if config.clear_every and step % config.clear_every == 0:
            self.samples = []
        self.samples = [s for s in self.samples if step - s.step <= config.max_age]

    def draw(self, count: int, rng: random.Random) -> list[Remembered]:
        """At most ``count`` different samples, each next one with probability in proportion
        to |advantage|^a among those left; in the buffer's order."""
        # Of exponential waiting times with these rates the shortest are such a draw.
        waits = [
            -math.log(1.0 - rng.random()) / abs(sample.advantage) ** self.config.exponent
            for sample in self.samples
        ]
        first = sorted(range(len(waits)), key=waits.__getitem__)[:count]
        return [self.samples[place] for place in sorted(first)]

    def add(self, samples: Sequence[Remembered]) -> None:
        """Remember those with an advantage and a trained token; the oldest give way."""
        worth = [s for s in samples if s.advantage and bool((s.weights > 0).any())]
        self.samples = [*self.samples, *worth][-self.config.capacity :]


class Replay:
    """The buffers of this worker's shards; part of the checkpoint (``loop.Stateful``)."""

    def __init__(self, team: WorkerGroup, config: ReplayConfig) -> None:
        self._team = team
        self.buffers = {shard: ReplayBuffer(config) for shard in team.shards}

    def state(self) -> dict[int, list[dict[str, Any]]]:
        """All shards' samples, gathered from their workers."""
        own = {
            shard: [asdict(sample) for sample in buffer.samples]
            for shard, buffer in self.buffers.items()
        }
        return {k: samples for part in self._team.gather(own) for k, samples in part.items()}

    def load(self, state: dict[int, list[dict[str, Any]]]) -> None:
        for shard, buffer in self.buffers.items():
            buffer.samples = [Remembered(**sample) for sample in state[shard]]


def restore(
    samples: Sequence[Remembered], reopen: Callable[[int], RenderedPrompt]
) -> list[Sample]:
    """The samples with their pictures, for the loss; those that show the same share it.

    ``reopen``: the query at a place, with its pictures opened.
    """
    openings: dict[int, RenderedPrompt] = {}
    visuals: dict[tuple[int, Cut], Visual] = {}
    restored = []
    for sample in samples:
        if sample.query not in openings:
            openings[sample.query] = reopen(sample.query)
        shown = []
        for cut in sample.cuts:
            key = (sample.query, cut)
            if key not in visuals:
                visuals[key] = _cut_again(openings[sample.query], cut)
            shown.append(visuals[key])
        transcript = Transcript(
            sample.tokens.tolist(), sample.weights.tolist(), sample.logprobs.tolist(), shown
        )
        restored.append(Sample(transcript, sample.advantage))
    return restored


def _cut_again(opening: RenderedPrompt, cut: Cut) -> Visual:
    picture, region, size = cut
    image = opening.shown[picture].image.crop(region)
    x1, y1, x2, y2 = region
    return Visual(ShownPicture(image, size, Box(x1=x1, y1=y1, x2=x2, y2=y2), picture))
