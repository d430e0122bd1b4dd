"""Rows that end their turns at different times: the others go on without them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import torch
from scipy.stats import chisquare
from tiny_world import Tiny, opening, tiny

from pixel_core.config import SamplingConfig
from pixel_core.models.batch import collate
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.models.logprobs import trained_logits
from pixel_core.rollout.transcript import Transcript
from pixel_core.rollout.vocabulary import Vocabulary

#: High, so that the choice is wide.
SAMPLING = SamplingConfig(temperature=8.0)
TURN = 24


def group(world: Tiny, rows: int) -> list[Transcript]:
    start = opening(world.prompts, 0)
    prompt = world.prompts.open(start.query, start.visuals)
    return [prompt.fork() for _ in range(rows)]


def brief(world: Tiny) -> Vocabulary:
    """All but eight tokens banned, so that a random model soon says the turn's end."""
    words = {world.vocabulary.encode_plain(letter)[0] for letter in "abcdefg"}
    words.add(world.vocabulary.turn_end)
    assert len(words) == 8
    every = range(world.model.config.text_config.vocab_size)
    return replace(world.vocabulary, banned=tuple(set(every) - words))


def test_turns_of_very_different_length_keep_their_logprobs_over_two_turns() -> None:
    world = tiny()
    vocabulary = brief(world)
    engine = EmbeddedEngine(world.model, vocabulary, seed=1)
    transcripts = group(world, 16)
    early: list[int] = []
    for _ in range(2):
        completions = engine.generate(transcripts, SAMPLING, TURN)
        early.append(sum(len(c.tokens) < TURN for c in completions))
        for transcript, completion in zip(transcripts, completions, strict=True):
            ends = completion.tokens[-1] == vocabulary.turn_end
            assert completion.finished == ends
            assert vocabulary.turn_end not in completion.tokens[:-1]
            transcript.append_sampled(completion.tokens, completion.logprobs, trained=True)
            transcript.append(vocabulary.encode("\nuser\n"))
    assert any(8 <= count < 16 for count in early), early  # half left the batch
    batch = collate(transcripts, vocabulary.pad, vocabulary.image)
    with torch.no_grad():
        logits, targets, _ = trained_logits(
            world.model, batch, vocabulary.banned, SAMPLING.temperature
        )
    recomputed = logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]
    sampled = torch.tensor(
        [lp for t in transcripts for w, lp in zip(t.weights, t.logprobs, strict=True) if w > 0]
    )
    torch.testing.assert_close(recomputed, sampled, atol=1e-5, rtol=0)


def test_a_row_samples_the_same_whoever_speaks_beside_it() -> None:
    world = tiny()
    engine = EmbeddedEngine(world.model, brief(world), seed=1)
    many = engine.generate(group(world, 16), SAMPLING, TURN)
    engine.forget()
    engine.reseed(1)
    few = engine.generate(group(world, 3), SAMPLING, TURN)
    assert [c.tokens for c in few] == [c.tokens for c in many[:3]]


def test_first_tokens_follow_the_models_probabilities() -> None:
    world = tiny()
    rows, likely = 4000, 12
    engine = EmbeddedEngine(world.model, world.vocabulary, seed=2)
    tokens = [c.tokens[0] for c in engine.generate(group(world, rows), SAMPLING, 1)]
    (probe,) = group(world, 1)
    probe.append([0], weight=1.0)
    batch = collate([probe], world.vocabulary.pad, world.vocabulary.image)
    with torch.no_grad():
        logits, _, _ = trained_logits(
            world.model, batch, world.vocabulary.banned, SAMPLING.temperature
        )
    probability = logits[0].softmax(-1)
    top, index = probability.topk(likely)
    seen = Counter(tokens)
    counts = [seen[token] for token in index.tolist()]
    expected = (top.double() * rows).tolist()
    counts.append(rows - sum(counts))
    expected.append(rows - sum(expected))
    assert chisquare(counts, expected).pvalue > 1e-3
