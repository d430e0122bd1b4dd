"""The embedded engine: the transformers model itself, generating in this process.

Legend: n distinct sequence, r transcript (row), k packed new token, v vocabulary.

What is alike is computed once. Transcripts that begin alike (a group's prompt, pictures
included) are one sequence, and go on as one for as long as they say the same: a sequence
forks where its rollouts' tokens differ. Ended turns leave the batch at once. A transcript
that was continued before only feeds what came after its cached part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixel_core.config import SamplingConfig
from pixel_core.models.batch import VisualTable, embed
from pixel_core.models.decoder import Decoder
from pixel_core.models.key_values import Kept, KeyValues
from pixel_core.models.positions import positions
from pixel_core.models.sampling import sample, uniform
from pixel_core.rollout.engine import Completion
from pixel_core.rollout.transcript import Transcript, Visual
from pixel_core.rollout.vocabulary import Vocabulary


class EmbeddedEngine:
    """Generates with ``model`` in this process; sampling follows ``seed`` alone."""

    def __init__(self, model: Any, vocabulary: Vocabulary, seed: int = 0) -> None:
        self.model = model
        self.vocabulary = vocabulary
        self._generator = torch.Generator().manual_seed(seed)
        self._decoder: Decoder | None = None
        #: Of the turn that is being generated.
        self._banned = vocabulary.banned
        #: What is cached of each transcript, and the transcript, so that its id stays its.
        self._kept: dict[int, tuple[Transcript, Kept]] = {}
        #: Ids of transcripts of which it stays cached through calls that leave them out.
        self._held: frozenset[int] = frozenset()

    def reseed(self, seed: int) -> None:
        self._generator.manual_seed(seed)

    def forget(self) -> None:
        self._decoder, self._kept, self._held = None, {}, frozenset()

    def hold(self, transcripts: Sequence[Transcript]) -> None:
        self._held = frozenset(map(id, transcripts))
        self._kept = self._still_held()

    def _still_held(self) -> dict[int, tuple[Transcript, Kept]]:
        return {key: kept for key, kept in self._kept.items() if key in self._held}

    def close(self) -> None:
        self.forget()

    @torch.inference_mode()
    def generate(
        self,
        transcripts: Sequence[Transcript],
        sampling: SamplingConfig,
        max_new_tokens: int,
        banned: Sequence[int] = (),
        seeds: Sequence[int] | None = None,
    ) -> list[Completion]:
        if not transcripts:
            return []
        self._banned = (*self.vocabulary.banned, *banned)
        decoder = self._decoder = self._decoder or Decoder(self.model)
        distinct, kept, node_r = self._distinct(transcripts)
        cache = decoder.cache(kept, max(map(len, distinct)) + max_new_tokens)
        hidden_nd, ends_n = self._feed(decoder, distinct, cache)
        turn = _Turn(len(transcripts), max_new_tokens)
        draws_rt = uniform((len(transcripts), max_new_tokens), self._generator, seeds)
        self._decode(decoder, cache, hidden_nd, ends_n, node_r, sampling, draws_rt, turn)
        self._kept = self._still_held() | {
            id(transcript): (transcript, one)
            for transcript, one in zip(transcripts, turn.kept, strict=True)
        }
        return turn.completions(self.vocabulary.turn_end)

    def _distinct(
        self, transcripts: Sequence[Transcript]
    ) -> tuple[list[Transcript], list[Kept | None], np.ndarray]:
        """One transcript of each kind, what is cached of it, and each row's kind."""
        number: dict[tuple[Any, ...], int] = {}
        distinct: list[Transcript] = []
        cached: list[Kept | None] = []
        node_r = np.empty(len(transcripts), np.int64)
        for row, transcript in enumerate(transcripts):
            _, kept = self._kept.get(id(transcript), (None, None))
            fed = 0 if kept is None else len(kept)
            # Rows that ended a turn as one sequence hold the same object.
            key = (
                id(kept),
                tuple(transcript.tokens[fed:]),
                tuple(map(id, transcript.visuals)),
            )
            if key not in number:
                number[key] = len(distinct)
                distinct.append(transcript)
                cached.append(kept)
            node_r[row] = number[key]
        return distinct, cached, node_r

    def _feed(
        self, decoder: Decoder, distinct: list[Transcript], cache: KeyValues
    ) -> tuple[Tensor, np.ndarray]:
        """Run what the cache does not hold yet; the hidden states (n, d) at the end, and
        each sequence's next position."""
        image = self.vocabulary.image
        tokens: list[int] = []
        places, counts, ends, shown = [], [], [], []
        for transcript, start in zip(distinct, cache.lengths_n.tolist(), strict=True):
            place_3t, end = positions(transcript.tokens, transcript.visuals, image)
            places.append(place_3t[:, start:])
            ends.append(end)
            fresh = transcript.tokens[start:]
            counts.append(len(fresh))
            tokens += fresh
            shown.append(_shown_in(fresh, transcript, image))
        table = VisualTable(visual for visuals in shown for visual in visuals)
        tokens_k = np.array(tokens, np.int64)
        source_k = np.full_like(tokens_k, -1)
        rows = [table.rows(visual) for visuals in shown for visual in visuals]
        if rows:
            source_k[tokens_k == image] = np.concatenate(rows)
        embedded_kd = embed(
            self.model, torch.from_numpy(tokens_k), torch.from_numpy(source_k), table.groups()
        )
        turned = decoder.turned(torch.from_numpy(np.concatenate(places, 1)))
        hidden_nd = decoder.extend(embedded_kd, turned, np.array(counts), cache)
        return hidden_nd, np.array(ends)

    def _decode(
        self,
        decoder: Decoder,
        cache: KeyValues,
        hidden_nd: Tensor,
        ends_n: np.ndarray,
        node_r: np.ndarray,
        sampling: SamplingConfig,
        draws_rt: Tensor,
        turn: _Turn,
    ) -> None:
        """Sample a token a row until all rows ended their turn.

        What a row draws depends on its place and step alone, so which others share its
        sequence or left the batch does not change what it samples.
        """
        rows, limit = turn.tokens_rt.shape
        first = int(ends_n.min())
        turned = decoder.turned(torch.arange(first, int(ends_n.max()) + limit).expand(3, -1))
        running = np.arange(rows)
        for step in range(limit):
            logits_nv = decoder.logits(hidden_nd)
            draw_r = draws_rt[torch.from_numpy(running), step]
            sampled = self._sample(logits_nv, sampling, torch.from_numpy(node_r), draw_r)
            token_r, logprob_r = (values.numpy() for values in sampled)
            turn.say(step, running, token_r, logprob_r)
            goes_on = token_r != self.vocabulary.turn_end
            if step + 1 == limit:
                goes_on[:] = False
            if not goes_on.all():
                turn.end(running[~goes_on], node_r[~goes_on], cache)
                running, node_r, token_r = running[goes_on], node_r[goes_on], token_r[goes_on]
                if not len(running):
                    return
            parent_n, said_n, node_r = _children(node_r, token_r)
            slot_n = cache.branch(parent_n)
            ends_n, tokens_n = _at(slot_n, ends_n[parent_n]), _at(slot_n, said_n)
            node_r = slot_n[node_r]
            place_n = torch.from_numpy(ends_n + (step - first))
            hidden_nd = decoder.step(
                decoder.embed(torch.from_numpy(tokens_n)), turned[place_n], cache
            )

    def _sample(
        self, logits_nv: Tensor, sampling: SamplingConfig, node_r: Tensor, draw_r: Tensor
    ) -> tuple[Tensor, Tensor]:
        return sample(logits_nv, sampling, self._banned, node_r, draw_r)


class _Turn:
    """What the rows say in one turn, and what is cached of each when it ends."""

    def __init__(self, rows: int, limit: int) -> None:
        self.tokens_rt = np.zeros((rows, limit), np.int64)
        self.logprobs_rt = np.zeros((rows, limit), np.float32)
        self.count_r = np.zeros(rows, np.int64)
        self._kept: list[Kept | None] = [None] * rows

    @property
    def kept(self) -> list[Kept]:
        return [one for one in self._kept if one is not None]

    def say(
        self, step: int, rows: np.ndarray, token_r: np.ndarray, logprob_r: np.ndarray
    ) -> None:
        self.tokens_rt[rows, step] = token_r
        self.logprobs_rt[rows, step] = logprob_r
        self.count_r[rows] = step + 1

    def end(self, rows: np.ndarray, node_r: np.ndarray, cache: KeyValues) -> None:
        """These rows said their last; the token itself is not cached."""
        kept = {node: cache.keep(node) for node in set(node_r.tolist())}
        for row, node in zip(rows.tolist(), node_r.tolist(), strict=True):
            self._kept[row] = kept[node]

    def completions(self, turn_end: int) -> list[Completion]:
        return [
            Completion(
                tokens=tokens[:count].tolist(),
                logprobs=logprobs[:count].tolist(),
                finished=bool(tokens[count - 1] == turn_end),
            )
            for tokens, logprobs, count in zip(
                self.tokens_rt, self.logprobs_rt, self.count_r.tolist(), strict=True
            )
        ]


def _shown_in(fresh: list[int], transcript: Transcript, image: int) -> list[Visual]:
    """The pictures whose placeholders are among the transcript's last tokens."""
    left, at = fresh.count(image), len(transcript.visuals)
    while left > 0:
        at -= 1
        left -= transcript.visuals[at].tokens
    return transcript.visuals[at:]


def _children(
    node_r: np.ndarray, token_r: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct pairs of sequence and token: parents, ascending, and tokens (both n),
    and which of them each row is."""
    width = int(token_r.max()) + 1
    pairs, child_r = np.unique(node_r * width + token_r, return_inverse=True)
    return pairs // width, pairs % width, child_r


def _at(slot_n: np.ndarray, values_n: np.ndarray) -> np.ndarray:
    """The values, each in its slot."""
    out = np.empty_like(values_n)
    out[slot_n] = values_n
    return out


def stream_seed(*parts: object) -> int:
    """A 63-bit seed from names and numbers: streams that differ in one part are apart."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
