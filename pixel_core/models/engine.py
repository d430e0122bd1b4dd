"""The embedded engine: the transformers model itself, generating in this process.

Legend: b row, t token, v vocabulary.

Transcripts that begin alike (a group's shared prompt, pictures included) are prefilled
once; a transcript that was continued before only feeds what came after its cached part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixel_core.config import SamplingConfig
from pixel_core.dialogue.engine import Completion
from pixel_core.dialogue.transcript import Transcript
from pixel_core.dialogue.vocabulary import Vocabulary
from pixel_core.models.batch import VisualTable, embed
from pixel_core.models.language import KeyValues, extend, rotary_of
from pixel_core.models.logprobs import forbid
from pixel_core.models.positions import positions


class EmbeddedEngine:
    """Generates with ``model`` in this process; sampling follows ``seed`` alone."""

    def __init__(self, model: Any, vocabulary: Vocabulary, seed: int = 0) -> None:
        self.model = model
        self.vocabulary = vocabulary
        self._generator = torch.Generator().manual_seed(seed)
        self._cache: KeyValues | None = None
        #: The transcripts of the cache's rows, held so that their identity stays theirs.
        self._rows: list[Transcript] = []

    def reseed(self, seed: int) -> None:
        self._generator.manual_seed(seed)

    def forget(self) -> None:
        self._cache, self._rows = None, []

    @torch.no_grad()
    def generate(
        self, transcripts: Sequence[Transcript], sampling: SamplingConfig, max_new_tokens: int
    ) -> list[Completion]:
        if not transcripts:
            return []
        ends = [self._next_position(transcript) for transcript in transcripts]
        cache, hidden_bd = self._prefill(transcripts, max_new_tokens)
        completions = self._decode(cache, hidden_bd, ends, sampling, max_new_tokens)
        self._cache, self._rows = cache, list(transcripts)
        return completions

    def _next_position(self, transcript: Transcript) -> int:
        return positions(transcript.tokens, transcript.visuals, self.vocabulary.image)[1]

    def _prefill(self, transcripts: Sequence[Transcript], new: int) -> tuple[KeyValues, Tensor]:
        """Cache with every transcript's tokens, and the hidden state (b, d) at its end."""
        kept = {id(transcript): row for row, transcript in enumerate(self._rows)}
        room = max(map(len, transcripts)) + new
        if self._cache is not None and all(id(t) in kept for t in transcripts):
            rows = torch.tensor([kept[id(transcript)] for transcript in transcripts])
            cache = self._cache.select(rows, room)
            return cache, self._feed(transcripts, cache)
        first: dict[tuple[Any, ...], int] = {}
        distinct: list[Transcript] = []
        back: list[int] = []
        for transcript in transcripts:
            key = (tuple(transcript.tokens), tuple(map(id, transcript.visuals)))
            if key not in first:
                first[key] = len(distinct)
                distinct.append(transcript)
            back.append(first[key])
        cache = KeyValues.empty(self.model, len(distinct), room)
        hidden_bd = self._feed(distinct, cache)
        if len(distinct) == len(transcripts):
            return cache, hidden_bd
        rows = torch.tensor(back)
        return cache.select(rows, room), hidden_bd[rows]

    def _feed(self, transcripts: Sequence[Transcript], cache: KeyValues) -> Tensor:
        """Run what the cache does not hold yet; right-padded."""
        image = self.vocabulary.image
        old = cache.lengths_b.tolist()
        new = [len(t) - start for t, start in zip(transcripts, old, strict=True)]
        tokens = np.full((len(new), max(new)), self.vocabulary.pad, np.int64)
        source = np.full_like(tokens, -1)
        place = np.zeros((3, *tokens.shape), np.int64)
        fresh = []
        for transcript, start in zip(transcripts, old, strict=True):
            before = transcript.tokens[:start].count(image)
            shown, at = 0, 0
            while shown < before:
                shown += transcript.visuals[at].tokens
                at += 1
            fresh.append(transcript.visuals[at:])
        table = VisualTable(visual for visuals in fresh for visual in visuals)
        for row, (transcript, start) in enumerate(zip(transcripts, old, strict=True)):
            tokens[row, : new[row]] = transcript.tokens[start:]
            all_places, _ = positions(transcript.tokens, transcript.visuals, image)
            place[:, row, : new[row]] = all_places[:, start:]
            if fresh[row]:
                rows = np.concatenate([table.rows(visual) for visual in fresh[row]])
                source[row, tokens[row] == image] = rows
        embedded = embed(
            self.model, torch.from_numpy(tokens), torch.from_numpy(source), table.groups()
        )
        rotary = rotary_of(self.model, torch.from_numpy(place))
        return extend(self.model, embedded, rotary, torch.tensor(new), cache)

    def _decode(
        self,
        cache: KeyValues,
        hidden_bd: Tensor,
        ends: list[int],
        sampling: SamplingConfig,
        max_new_tokens: int,
    ) -> list[Completion]:
        """Sample a token a row until all rows ended their turn.

        Ended rows idle; once half of a batch does, the others go on without them. What a
        row draws depends on its place and step alone, so neither changes what is sampled.
        """
        rows = len(ends)
        place_bt = torch.tensor(ends)[:, None] + torch.arange(max_new_tokens)
        cos, sin = rotary_of(self.model, place_bt.expand(3, -1, -1))
        draws_bt = torch.rand(
            (rows, max_new_tokens), dtype=torch.float64, generator=self._generator
        )
        tokens_bt = torch.zeros((rows, max_new_tokens), dtype=torch.long)
        logprobs_bt = torch.zeros((rows, max_new_tokens))
        since = int(cache.lengths_b.min())
        part, row_b = cache, torch.arange(rows)
        running_b = torch.ones(rows, dtype=torch.bool)
        count_b = torch.zeros(rows, dtype=torch.long)
        embed_tokens = self.model.model.language_model.embed_tokens
        for step in range(max_new_tokens):
            logits_bv = self.model.lm_head(hidden_bd)
            token_b, logprob_b = self._sample(logits_bv, sampling, draws_bt[row_b, step])
            tokens_bt[row_b, step] = token_b
            logprobs_bt[row_b, step] = logprob_b
            count_b[row_b[running_b]] += 1
            running_b = running_b & (token_b != self.vocabulary.turn_end)
            left = int(running_b.sum())
            if not left:
                break
            if left <= len(row_b) // 2:
                if part is not cache:
                    cache.take_back(row_b, part, since)
                row_b, token_b = row_b[running_b], token_b[running_b]
                part = cache.select(row_b, cache.room)
                running_b = torch.ones(left, dtype=torch.bool)
            # An ended row writes its idle token past its end, where nothing looks.
            hidden_bd = extend(
                self.model,
                embed_tokens(token_b)[:, None],
                (cos[row_b, :, step, None], sin[row_b, :, step, None]),
                running_b.long(),
                part,
            )
        if part is not cache:
            cache.take_back(row_b, part, since)
        finished_b = tokens_bt[torch.arange(rows), count_b - 1] == self.vocabulary.turn_end
        return [
            Completion(
                tokens=tokens_bt[row, :count].tolist(),
                logprobs=logprobs_bt[row, :count].tolist(),
                finished=finished,
            )
            for row, (count, finished) in enumerate(
                zip(count_b.tolist(), finished_b.tolist(), strict=True)
            )
        ]

    def _sample(
        self, logits_bv: Tensor, sampling: SamplingConfig, draw_b: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tokens (b) and their log-probabilities (b) under the tempered distribution."""
        greedy = sampling.temperature == 0
        logits_bv = forbid(logits_bv.float(), self.vocabulary.banned)
        if not greedy:
            logits_bv = logits_bv / sampling.temperature
        logprobs_bv = logits_bv.log_softmax(-1)
        if greedy:
            token_b = logprobs_bv.argmax(-1)
        else:
            kept = logprobs_bv if sampling.top_p >= 1 else _nucleus(logprobs_bv, sampling.top_p)
            token_b = _pick(kept, draw_b)
        return token_b, logprobs_bv.gather(1, token_b[:, None])[:, 0]


def _pick(logprobs_bv: Tensor, draw_b: Tensor) -> Tensor:
    """Where the cumulative probability passes ``draw_b``, from [0, 1), of its total.

    One uniform number a row: ``torch.multinomial`` draws one a token of the vocabulary.
    """
    cumulative_bv = logprobs_bv.exp().double().cumsum(-1)
    mark_b1 = draw_b[:, None] * cumulative_bv[:, -1:]
    # ``right``: a token of probability 0 ends where the one before it ends, and is passed.
    return torch.searchsorted(cumulative_bv, mark_b1, right=True)[:, 0]


def _nucleus(logprobs_bv: Tensor, top_p: float) -> Tensor:
    """The smallest set of tokens whose probabilities reach ``top_p``; the rest at -inf."""
    ordered, index = logprobs_bv.sort(-1, descending=True)
    before = ordered.exp().cumsum(-1) - ordered.exp()
    ordered = ordered.masked_fill(before >= top_p, float("-inf"))
    return torch.empty_like(ordered).scatter(1, index, ordered)


def stream_seed(*parts: object) -> int:
    """A 63-bit seed from names and numbers: streams that differ in one part are apart."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
