"""Log-probabilities of rollouts that begin alike: a prompt that several share is run once.

The rollouts of a group share their question and its picture, about half of their tokens in
the drawn world. Prompts and what follows them go through the model together; each row
attends to its prompt's keys and values beside its own. The numbers are those of
``logprobs.trained_logits``, up to rounding.

Legend: k token (all prompts, then all rows, one after the other), v vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixel_core.models.batch import VisualTable, embed
from pixel_core.models.language import hidden_states, logits_of, segments_of
from pixel_core.models.layer_gradients import Segment, Segments
from pixel_core.models.logprobs import forbid
from pixel_core.models.positions import positions
from pixel_core.rollout.transcript import Transcript, Visual

#: Rollouts that begin with the same prompt.
Family = Sequence[Transcript]


@dataclass(frozen=True)
class Families:
    """Prompts and rollouts as one list of tokens.

    ``order``: each row's family and its place in it; rows of a family come by length.
    ``wanted``: the tokens that predict ``targets``, the trained ones; rows first, then time.
    """

    order: list[tuple[int, int]]
    tokens_k: Tensor
    positions_3k: Tensor
    source_k: Tensor
    groups: list[tuple[tuple[int, int], Tensor]]
    segments: Segments
    wanted: Tensor
    targets: Tensor


def prompt_length(transcript: Transcript) -> int:
    """How many tokens stand before the one that predicts the first trained token: what
    rollouts of a question share. The transcript must have a trained token after its first."""
    first = next(n for n, weight in enumerate(transcript.weights) if n and weight > 0)
    return first - 1


def prompt_key(transcript: Transcript, image: int) -> tuple[Any, ...]:
    """Equal for transcripts whose prompts are the same tokens and the same pictures."""
    length = prompt_length(transcript)
    prompt = transcript.tokens[:length]
    shown = _whole_visuals(transcript.visuals, prompt.count(image))
    return (tuple(prompt), tuple(id(visual) for visual in shown))


def collate_families(families: Sequence[Family], pad: int, image: int) -> Families:
    """Families of transcripts with equal ``prompt_key``, none of them empty."""
    spans: list[_Span] = []
    segments: list[Segment] = []
    at = 0
    for family in families:
        length = prompt_length(family[0])
        spans.append(_Span(family[0], 0, length, length))
        segments.append(Segment(1, length))
    prompts = []
    for segment in segments:
        prompts.append((at, at + segment.length) if segment.length else None)
        at += segment.length
    order: list[tuple[int, int]] = []
    for number, family in enumerate(families):
        start = prompt_length(family[0])
        places = sorted(range(len(family)), key=lambda place: len(family[place]))
        lengths = [len(family[place]) - 1 - start for place in places]
        order += [(number, place) for place in places]
        for rows, width, *_ in segments_of(lengths):
            segments.append(Segment(rows, width, prompts[number]))
            for place in places[:rows]:
                spans.append(_Span(family[place], start, len(family[place]) - 1, width))
            places = places[rows:]
    return _collated(spans, order, tuple(s for s in segments if s.length), pad, image)


def family_logits(
    model: Any, families: Families, banned: tuple[int, ...], temperature: float = 1.0
) -> Tensor:
    """Logits that predict the trained tokens, ``families.targets``; gradients flow."""
    embedded = embed(model, families.tokens_k, families.source_k, families.groups)
    hidden = hidden_states(
        model, embedded, families.positions_3k, families.segments, families.wanted
    )
    logits_kv = logits_of(model, hidden)
    if temperature > 0:
        logits_kv = logits_kv / temperature
    return forbid(logits_kv, banned)


@dataclass(frozen=True)
class _Span:
    """A transcript's tokens from ``start`` to ``stop``, padded to ``width``."""

    transcript: Transcript
    start: int
    stop: int
    width: int


def _collated(
    spans: list[_Span], order: list[tuple[int, int]], segments: Segments, pad: int, image: int
) -> Families:
    total = sum(span.width for span in spans)
    tokens = np.full(total, pad, np.int64)
    source = np.full(total, -1, np.int64)
    place = np.zeros((3, total), np.int64)
    wanted: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    shown = [_shown_in(span, image) for span in spans]
    table = VisualTable(visual for visuals in shown for visual in visuals)
    at = 0
    for span, visuals in zip(spans, shown, strict=True):
        transcript, start, stop = span.transcript, span.start, span.stop
        here = slice(at, at + stop - start)
        tokens[here] = transcript.tokens[start:stop]
        whole, _ = positions(transcript.tokens, transcript.visuals, image)
        place[:, here] = whole[:, start:stop]
        if visuals:
            rows = np.concatenate([table.rows(visual) for visual in visuals])
            source[here][tokens[here] == image] = rows
        # In a prompt nothing predicts a trained token: it ends before the first that does.
        trained = np.flatnonzero(np.array(transcript.weights[start + 1 : stop + 1]) > 0)
        wanted.append(at + trained)
        targets.append(np.array(transcript.tokens[start + 1 : stop + 1], np.int64)[trained])
        at += span.width
    return Families(
        order,
        torch.from_numpy(tokens),
        torch.from_numpy(place),
        torch.from_numpy(source),
        table.groups(),
        segments,
        torch.from_numpy(np.concatenate(wanted)),
        torch.from_numpy(np.concatenate(targets)),
    )


def _shown_in(span: _Span, image: int) -> list[Visual]:
    """The pictures among a span's tokens; it holds whole ones."""
    transcript = span.transcript
    before = _whole_visuals(transcript.visuals, transcript.tokens[: span.start].count(image))
    until = _whole_visuals(transcript.visuals, transcript.tokens[: span.stop].count(image))
    return until[len(before) :]


def _whole_visuals(visuals: Sequence[Visual], tokens: int) -> list[Visual]:
    """The first visuals, those whose tokens make up ``tokens`` picture tokens."""
    found: list[Visual] = []
    for visual in visuals:
        if tokens <= 0:
            break
        found.append(visual)
        tokens -= visual.tokens
    if tokens:
        raise ValueError(f"a picture is cut in two: {-tokens} of its tokens are left over")
    return found
