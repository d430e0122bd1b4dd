"""Rollouts that share a prompt: the numbers of the plain forward pass, and its gradient."""

from __future__ import annotations

import pytest
import torch
from tiny_world import Scripted, call, opening, tiny

from pixel_core.config import SamplingConfig
from pixel_core.models.batch import collate
from pixel_core.models.logprobs import trained_logits
from pixel_core.models.shared_prompt import (
    collate_families,
    family_logits,
    prompt_key,
    prompt_length,
)
from pixel_core.rollout.episode import run_episodes
from pixel_core.rollout.transcript import Transcript

SIZES = ((), ((200, 120),), ((90, 90), (160, 60)))


def rollouts() -> list[Transcript]:
    """Three questions on pictures of several shapes and numbers, two rollouts each: crops, a
    refused call, an answer at once, and an untrained turn."""
    world = tiny()
    zoom = call(world.prompts, (8, 8, 48, 48))
    again = call(world.prompts, (4, 4, 40, 40), 2)
    turns = [[zoom, again, "\\boxed{7}"], ["\\boxed{3}"]] * 2
    turns += [[call(world.prompts, (0, 0, 900, 9)), "\\boxed{no}"], [zoom, "\\boxed{yes}"]]
    openings = [opening(world.prompts, seed, sizes) for seed, sizes in enumerate(SIZES)]
    engine = Scripted(world.vocabulary, turns)
    episodes = run_episodes(engine, world.prompts, openings, 2, SamplingConfig())
    transcripts = [episode.transcript for episode in episodes]
    first = transcripts[0]
    start = next(n for n, weight in enumerate(first.weights) if weight)
    end = next(n for n in range(start, len(first)) if not first.weights[n])
    first.weights[start:end] = [0.0] * (end - start)
    return transcripts


def test_rollouts_of_a_question_have_one_key() -> None:
    image = tiny().vocabulary.image
    keys = [prompt_key(transcript, image) for transcript in rollouts()[2:]]
    assert keys[0] == keys[1] != keys[2] == keys[3]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logits_and_gradients_are_those_of_whole_transcripts(temperature: float) -> None:
    world = tiny()
    model, vocabulary = world.model, world.vocabulary
    # The first rollout is longer untrained: its prompt is one of its own.
    transcripts = rollouts()
    keys = [prompt_key(transcript, vocabulary.image) for transcript in transcripts]
    distinct = list(dict.fromkeys(keys))
    assert len(distinct) == 4
    families = [
        [transcript for transcript, key in zip(transcripts, keys, strict=True) if key == one]
        for one in distinct
    ]
    model.zero_grad()
    collated = collate_families(families, vocabulary.pad, vocabulary.image)
    assert sorted(collated.order) == [
        (number, place)
        for number, family in enumerate(families)
        for place in range(len(family))
    ]
    logits = family_logits(model, collated, vocabulary.banned, temperature)
    targets = collated.targets
    weights = torch.linspace(-1, 1, len(targets))
    scored = logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]
    (scored * weights).sum().backward()
    ours = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}

    model.zero_grad()
    rows = [families[number][place] for number, place in collated.order]
    batch = collate(rows, vocabulary.pad, vocabulary.image)
    plain, plain_targets, _ = trained_logits(model, batch, vocabulary.banned, temperature)
    assert torch.equal(plain_targets, targets)
    plain_scored = plain.log_softmax(-1).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(scored, plain_scored, atol=1e-5, rtol=0)
    (plain_scored * weights).sum().backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            scale = parameter.grad.abs().max().clamp(min=1.0)
            torch.testing.assert_close(
                ours[name] / scale, parameter.grad / scale, atol=2e-5, rtol=0
            )
    assert set(ours) == {n for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()


def test_the_prompt_ends_before_the_token_that_predicts_the_first_trained_one() -> None:
    transcript = Transcript()
    transcript.append([5, 6, 7], 0.0)
    transcript.append([8, 9], 1.0)
    assert prompt_length(transcript) == 2
