"""Transcripts of unequal length as one right-padded batch.

Legend: b transcript, t token, 3 the rotary rows, p patches of one picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pixel_core.media.patches import normalised
from pixel_core.models.positions import positions
from pixel_core.models.vision_tower import picture_features
from pixel_core.rollout.transcript import Transcript, Visual


@dataclass(frozen=True)
class Batch:
    """``source_bt``: for each picture token its row in the feature table, else -1.

    ``groups``: pictures by shown size, in the order their features are tabled, float32
    (pictures, patches of one, 588), see ``vision.patches``; a picture that several
    transcripts share is there once.
    """

    tokens_bt: Tensor
    weights_bt: Tensor
    positions_3bt: Tensor
    source_bt: Tensor
    lengths: list[int]
    groups: list[tuple[tuple[int, int], Tensor]]


def collate(transcripts: Sequence[Transcript], pad: int, image: int) -> Batch:
    """Stack whole transcripts; positions follow transformers' ``get_rope_index``."""
    lengths = [len(transcript) for transcript in transcripts]
    count, longest = len(transcripts), max(lengths)
    tokens = np.full((count, longest), pad, np.int64)
    weights = np.zeros((count, longest), np.float32)
    place = np.zeros((3, count, longest), np.int64)
    source = np.full((count, longest), -1, np.int64)
    table = VisualTable(visual for t in transcripts for visual in t.visuals)
    for row, transcript in enumerate(transcripts):
        length = lengths[row]
        tokens[row, :length] = transcript.tokens
        weights[row, :length] = transcript.weights
        place[:, row, :length], _ = positions(transcript.tokens, transcript.visuals, image)
        if transcript.visuals:
            source[row, tokens[row] == image] = np.concatenate(
                [table.rows(visual) for visual in transcript.visuals]
            )
    return Batch(
        torch.from_numpy(tokens),
        torch.from_numpy(weights),
        torch.from_numpy(place),
        torch.from_numpy(source),
        lengths,
        table.groups(),
    )


class VisualTable:
    """Distinct pictures grouped by size, and where each one's features will stand."""

    def __init__(self, visuals: Any) -> None:
        self._by_size: dict[tuple[int, int], list[Visual]] = {}
        seen: set[int] = set()
        for visual in visuals:
            if id(visual) not in seen:
                seen.add(id(visual))
                self._by_size.setdefault(visual.size, []).append(visual)
        self._start: dict[int, int] = {}
        start = 0
        for group in self._by_size.values():
            for visual in group:
                self._start[id(visual)] = start
                start += visual.tokens

    def rows(self, visual: Visual) -> np.ndarray:
        start = self._start[id(visual)]
        return np.arange(start, start + visual.tokens)

    def groups(self) -> list[tuple[tuple[int, int], Tensor]]:
        return [
            (size, torch.from_numpy(normalised(np.stack([visual.cut for visual in group]))))
            for size, group in self._by_size.items()
        ]


def embed(
    model: Any,
    tokens_k: Tensor,
    source_k: Tensor,
    groups: list[tuple[tuple[int, int], Tensor]],
) -> Tensor:
    """Token embeddings (k, d) with the pictures' features in their places."""
    embedded_kd = F.embedding(tokens_k, model.model.language_model.embed_tokens.weight)
    if not groups:
        return embedded_kd
    table = picture_features(model, groups).to(embedded_kd.dtype)
    pictured = (source_k >= 0).nonzero()[:, 0]
    # A picture that several rows show is looked up as a word is.
    return embedded_kd.index_copy(0, pictured, F.embedding(source_k[pictured], table))
