"""Log-probabilities of rollouts that begin alike: a prompt that several share is run once.

The rollouts of a group share their question and its picture, about half of their tokens in
the drawn world. Their prompt's keys and values are computed once, with gradient, and each
row attends to them beside its own. The last layer goes on only where something is predicted.
The numbers are those of ``logprobs.trained_logits``, up to rounding.

Legend: g prompt, p token of a prompt, b row (rollout), t token of a row after its prompt,
k trained token, h head, d width, v vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pixel_core.dialogue.transcript import Transcript, Visual
from pixel_core.models.batch import VisualTable, embed
from pixel_core.models.language import project, rms_norm, rotary_of, rotate
from pixel_core.models.logprobs import forbid
from pixel_core.models.positions import positions

#: Keys and values of a layer, (g, h, p, d) each.
_KeysValues = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class PromptStates:
    """What rows attend to: keys and values a layer, and the prompts' lengths."""

    layers: list[_KeysValues]
    lengths_g: Tensor


@dataclass(frozen=True)
class Rows:
    """Rollouts after their prompts, right-padded: token t predicts ``targets_bt``."""

    prompt_b: Tensor
    tokens_bt: Tensor
    targets_bt: Tensor
    weights_bt: Tensor
    positions_3bt: Tensor
    source_bt: Tensor
    groups: list[tuple[tuple[int, int], Tensor]]


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


def run_prompts(model: Any, owners: Sequence[Transcript], pad: int, image: int) -> PromptStates:
    """One prompt an owner, any transcript that begins with it; gradients flow."""
    spans = [(transcript, 0, prompt_length(transcript)) for transcript in owners]
    tokens, place, source, groups = _collate(spans, pad, image)
    hidden = embed(model, tokens, source, groups)
    cos, sin = rotary_of(model, place)
    layers = model.model.language_model.layers
    kept: list[_KeysValues] = []
    for number, layer in enumerate(layers):
        attention = layer.self_attn
        q, k, v = project(attention, rms_norm(layer.input_layernorm, hidden))
        k = rotate(k, cos, sin)
        kept.append((k, v))
        if number + 1 == len(layers):
            break  # nothing is predicted from a prompt: rows begin with the token that is
        mixed = F.scaled_dot_product_attention(
            rotate(q, cos, sin), k, v, is_causal=True, enable_gqa=q.shape[1] != k.shape[1]
        )
        hidden = hidden + attention.o_proj(mixed.transpose(1, 2).flatten(2))
        hidden = hidden + layer.mlp(rms_norm(layer.post_attention_layernorm, hidden))
    return PromptStates(kept, torch.tensor([stop for _, _, stop in spans]))


def collate_rows(
    transcripts: Sequence[Transcript], prompt_b: Sequence[int], pad: int, image: int
) -> Rows:
    """``prompt_b``: each row's prompt, by its place among the owners."""
    spans = [(t, prompt_length(t), len(t) - 1) for t in transcripts]
    tokens, place, source, groups = _collate(spans, pad, image)
    targets = np.full(tokens.shape, pad, np.int64)
    weights = np.zeros(tokens.shape, np.float32)
    for row, (transcript, start, stop) in enumerate(spans):
        targets[row, : stop - start] = transcript.tokens[start + 1 :]
        weights[row, : stop - start] = transcript.weights[start + 1 :]
    return Rows(
        torch.tensor(prompt_b),
        tokens,
        torch.from_numpy(targets),
        torch.from_numpy(weights),
        place,
        source,
        groups,
    )


def row_logits(
    model: Any,
    prompts: PromptStates,
    rows: Rows,
    banned: tuple[int, ...],
    temperature: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (k, v) that predict the k trained tokens, those tokens (k), and their places
    as a mask (b, t) over ``rows.targets_bt``; rows first, then time."""
    text = model.model.language_model
    chosen_bt = rows.weights_bt > 0
    hidden = embed(model, rows.tokens_bt, rows.source_bt, rows.groups)
    cos, sin = rotary_of(model, rows.positions_3bt)
    seen_b1ts = _seen(prompts, rows)
    last = len(text.layers) - 1
    for number, (layer, kept) in enumerate(zip(text.layers, prompts.layers, strict=True)):
        attention = layer.self_attn
        q, k, v = project(attention, rms_norm(layer.input_layernorm, hidden))
        mixed = F.scaled_dot_product_attention(
            rotate(q, cos, sin),
            torch.cat((kept[0][rows.prompt_b], rotate(k, cos, sin)), 2),
            torch.cat((kept[1][rows.prompt_b], v), 2),
            attn_mask=seen_b1ts,
            enable_gqa=q.shape[1] != k.shape[1],
        )
        mixed = mixed.transpose(1, 2).flatten(2)
        if number == last:
            hidden, mixed = hidden[chosen_bt], mixed[chosen_bt]
        hidden = hidden + attention.o_proj(mixed)
        hidden = hidden + layer.mlp(rms_norm(layer.post_attention_layernorm, hidden))
    logits_kv = model.lm_head(rms_norm(text.norm, hidden))
    if temperature > 0:
        logits_kv = logits_kv / temperature
    return forbid(logits_kv, banned), rows.targets_bt[chosen_bt], chosen_bt


def _seen(prompts: PromptStates, rows: Rows) -> Tensor:
    """Which of its prompt's and its own tokens each token attends to, (b, 1, t, p + t)."""
    longest, width = prompts.layers[0][0].shape[2], rows.tokens_bt.shape[1]
    lengths_b1 = prompts.lengths_g[rows.prompt_b][:, None]
    prompt_b1p = (torch.arange(longest) < lengths_b1)[:, None]
    own_tt = torch.ones((width, width), dtype=torch.bool).tril()
    count = len(lengths_b1)
    return torch.cat(
        (prompt_b1p.expand(count, width, longest), own_tt.expand(count, width, width)), -1
    )[:, None]


def _collate(
    spans: Sequence[tuple[Transcript, int, int]], pad: int, image: int
) -> tuple[Tensor, Tensor, Tensor, list[tuple[tuple[int, int], Tensor]]]:
    """Tokens, positions and picture sources of the tokens from start to stop, and the
    pictures; a span holds whole pictures."""
    shape = (len(spans), max(stop - start for _, start, stop in spans))
    tokens = np.full(shape, pad, np.int64)
    source = np.full(shape, -1, np.int64)
    place = np.zeros((3, *shape), np.int64)
    shown: list[list[Visual]] = []
    for transcript, start, stop in spans:
        before = _whole_visuals(transcript.visuals, transcript.tokens[:start].count(image))
        until = _whole_visuals(transcript.visuals, transcript.tokens[:stop].count(image))
        shown.append(until[len(before) :])
    table = VisualTable(visual for visuals in shown for visual in visuals)
    for row, (transcript, start, stop) in enumerate(spans):
        length = stop - start
        tokens[row, :length] = transcript.tokens[start:stop]
        whole, _ = positions(transcript.tokens, transcript.visuals, image)
        place[:, row, :length] = whole[:, start:stop]
        if shown[row]:
            source[row, tokens[row] == image] = np.concatenate(
                [table.rows(visual) for visual in shown[row]]
            )
    return (
        torch.from_numpy(tokens),
        torch.from_numpy(place),
        torch.from_numpy(source),
        table.groups(),
    )


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
