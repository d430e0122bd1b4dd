"""What generates tokens: the one seam between the episode loop and any model server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pixel_core.config import SamplingConfig
from pixel_core.rollout.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Completion:
    """Sampled tokens with their log-probabilities under the tempered distribution
    (before any top-p cut). ``finished``: the last token ends the turn.

    ``logprobs``: None where the engine can't tell them (an endpoint). Such tokens are never
    trained on."""

    tokens: list[int]
    logprobs: list[float] | None
    finished: bool


class Engine(Protocol):
    """Continues transcripts. The caller appends what it accepts to the SAME transcripts,
    so an engine may keep what it computed for a transcript and reuse it."""

    def generate(
        self,
        transcripts: Sequence[Transcript],
        sampling: SamplingConfig,
        max_new_tokens: int,
        banned: Sequence[int] = (),
        seeds: Sequence[int] | None = None,
    ) -> list[Completion]:
        """One completion a transcript; stops after the turn's end or ``max_new_tokens``.

        ``banned``: never sampled in this turn, beside the vocabulary's own, and left out of
        the distribution that log-probabilities are of. An engine that samples elsewhere (an
        endpoint) can't see to it: what it says is then judged by the text. Callers leave the
        argument out while it is empty.

        ``seeds``, one a transcript: what each says is then drawn from its own number, whatever
        else is in the call. An engine that samples elsewhere draws as it likes.
        """
        ...

    def forget(self) -> None:
        """Drop all that was kept: the weights changed, or the transcripts are done."""
        ...
