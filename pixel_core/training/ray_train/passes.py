"""A worker's share of a step, cut into passes that fit its memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pixel_core.rollout.transcript import Transcript


def passes_of(transcripts: Sequence[Transcript], tokens: int) -> list[list[Transcript]]:
    """Groups of at most ``tokens`` tokens, padding included, similar lengths together.

    Nothing is dropped: a transcript that is longer than that is a pass of its own.
    """
    groups: list[list[Transcript]] = []
    for transcript in sorted(transcripts, key=len):
        if groups and (len(groups[-1]) + 1) * len(transcript) <= tokens:
            groups[-1].append(transcript)
        else:
            groups.append([transcript])
    return groups


def trained_tokens(transcripts: Sequence[Transcript]) -> float:
    """The sum of the loss weights; a transcript's first token is never predicted."""
    return float(sum(sum(transcript.weights[1:]) for transcript in transcripts))


def silent(transcript: Transcript) -> Transcript:
    """The same without a loss, for a worker that has fewer passes than another."""
    return replace(transcript, weights=[0.0] * len(transcript))
