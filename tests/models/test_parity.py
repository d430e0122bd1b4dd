"""Our forward passes against transformers' own on the same weights."""

from __future__ import annotations

import pytest
import torch
from tiny_world import Scripted, Tiny, call, opening, tiny

from pixel_core.config import SamplingConfig
from pixel_core.models.batch import collate
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.models.logprobs import forbid, trained_logits
from pixel_core.rollout.episode import Episode, run_episodes
from pixel_core.rollout.transcript import Transcript

SHAPES = ((448, 448),), ((300, 900),), ((448, 224), (500, 500))
ANSWER = "the crop shows \\boxed{7}"


def theirs(world: Tiny, transcript: Transcript) -> torch.Tensor:
    """Logits (t, v) of transformers' whole model, its own vision tower and positions."""
    ids = torch.tensor([transcript.tokens])
    pixels = torch.cat([torch.from_numpy(v.patches) for v in transcript.visuals])
    grids = torch.tensor([[1, v.size[1] // 14, v.size[0] // 14] for v in transcript.visuals])
    with torch.no_grad():
        return world.model(
            input_ids=ids,
            pixel_values=pixels,
            image_grid_thw=grids,
            mm_token_type_ids=(ids == world.vocabulary.image).int(),
        ).logits[0]


def zooming(world: Tiny, operations: int, seed: int) -> Episode:
    """An episode with so many zooms, of crops that differ in size."""
    boxes = [(0, 0, 112, 56), (4, 4, 40, 60), (60, 60, 90, 90), (30, 8, 100, 100)]
    start = opening(world.prompts, seed, SHAPES[seed % len(SHAPES)])
    turns = [
        f"zoom in on {call(world.prompts, _inside(box, start.visuals[0].size))}"
        for box in boxes[:operations]
    ]
    script = Scripted(world.vocabulary, [[*turns, ANSWER]])
    (episode,) = run_episodes(script, world.prompts, [start], 1, SamplingConfig())
    assert episode.operations == operations
    return episode


def _inside(box: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = box
    return (
        x1 * size[0] // 112,
        y1 * size[1] // 112,
        x2 * size[0] // 112,
        y2 * size[1] // 112,
    )


def test_training_logits_equal_transformers_in_one_batch_of_unequal_rows() -> None:
    world = tiny()
    episodes = [
        zooming(world, operations, seed) for seed, operations in enumerate((0, 1, 2, 4))
    ]
    batch = collate(
        [e.transcript for e in episodes], world.vocabulary.pad, world.vocabulary.image
    )
    with torch.no_grad():
        logits, targets, chosen = trained_logits(world.model, batch, world.vocabulary.banned)
    ours = logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]
    at = 0
    for row, episode in enumerate(episodes):
        reference = forbid(theirs(world, episode.transcript), world.vocabulary.banned)
        places = torch.nonzero(chosen[row])[:, 0]
        expected = reference.log_softmax(-1)[places, targets[at : at + len(places)]]
        torch.testing.assert_close(ours[at : at + len(places)], expected, atol=1e-5, rtol=0)
        at += len(places)
    assert at == len(targets)


@pytest.mark.parametrize("operations", [0, 1, 2, 4])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_sampled_logprobs_equal_recomputed_ones(operations: int, temperature: float) -> None:
    """After any number of operations, through prefix reuse, in a batch of mixed sizes."""
    world = tiny()
    sampling = SamplingConfig(temperature=temperature)
    engine = EmbeddedEngine(world.model, world.vocabulary, seed=operations)
    episodes = [zooming(world, operations, seed) for seed in range(3)]
    prefixes = [_up_to_last_turn(episode, world) for episode in episodes for _ in range(2)]
    # Feed the same transcripts in stages, so that the cache is continued as in an episode.
    for transcript in prefixes:
        transcript.weights = [0.0] * len(transcript.tokens)
    completions = engine.generate(prefixes, sampling, 12)
    longest = max(prefixes, key=len)
    for transcript, completion in zip(prefixes, completions, strict=True):
        transcript.append_sampled(completion.tokens, completion.logprobs, trained=True)
        # A short return for the longest row, long ones for the others (a refused call's).
        words = " more" * (1 if transcript is longest else 60)
        transcript.append(world.vocabulary.encode(f"\n<|im_start|>user\n{words}"))
    again = engine.generate(prefixes, sampling, 12)
    for transcript, completion in zip(prefixes, again, strict=True):
        transcript.append_sampled(completion.tokens, completion.logprobs, trained=True)
    batch = collate(prefixes, world.vocabulary.pad, world.vocabulary.image)
    with torch.no_grad():
        logits, targets, _ = trained_logits(
            world.model, batch, world.vocabulary.banned, temperature
        )
    ours = logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]
    sampled = torch.tensor(
        [lp for t in prefixes for w, lp in zip(t.weights, t.logprobs, strict=True) if w > 0]
    )
    assert len(sampled) >= 2 * len(prefixes)
    torch.testing.assert_close(ours, sampled, atol=1e-5, rtol=0)
    assert not {token for c in (*completions, *again) for token in c.tokens} & set(
        world.vocabulary.banned
    )


def _up_to_last_turn(episode: Episode, world: Tiny) -> Transcript:
    """The transcript as it was when the model had to speak for the last time."""
    last = len(world.vocabulary.encode_plain(ANSWER)) + 1
    transcript = episode.transcript.fork()
    for values in (transcript.tokens, transcript.weights, transcript.logprobs):
        del values[-last:]
    return transcript


def test_greedy_tokens_equal_transformers_generate() -> None:
    world = tiny()
    engine = EmbeddedEngine(world.model, world.vocabulary)
    for operations in (0, 1, 2):
        transcript = _up_to_last_turn(zooming(world, operations, operations), world)
        (ours,) = engine.generate([transcript], SamplingConfig(temperature=0.0), 16)
        engine.forget()
        ids = torch.tensor([transcript.tokens])
        theirs = world.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=torch.cat([torch.from_numpy(v.patches) for v in transcript.visuals]),
            image_grid_thw=torch.tensor(
                [[1, v.size[1] // 14, v.size[0] // 14] for v in transcript.visuals]
            ),
            mm_token_type_ids=(ids == world.vocabulary.image).int(),
            do_sample=False,
            max_new_tokens=16,
            suppress_tokens=list(world.vocabulary.banned),
            eos_token_id=world.vocabulary.turn_end,
            pad_token_id=world.vocabulary.pad,
        )[0, ids.shape[1] :]
        assert ours.tokens == theirs.tolist()


def test_a_group_shares_its_prompt_and_still_samples_apart() -> None:
    world = tiny()
    engine = EmbeddedEngine(world.model, world.vocabulary, seed=3)
    start = opening(world.prompts, 0)
    prompt = world.prompts.open(start.query, start.visuals)
    group = [prompt.fork() for _ in range(8)]
    completions = engine.generate(group, SamplingConfig(), 12)
    assert len({tuple(c.tokens) for c in completions}) > 1
    engine.forget()
    engine.reseed(3)
    again = engine.generate([prompt.fork() for _ in range(8)], SamplingConfig(), 12)
    assert [c.tokens for c in again] == [c.tokens for c in completions]
