"""What rollouts have in common is computed once, and the numbers stay those of one alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_world import Tiny, dialogue, opening, tiny, video_opening
from transformers import Qwen2_5_VLForConditionalGeneration

from pixel_core.config import SamplingConfig
from pixel_core.models import decoder
from pixel_core.models.batch import collate
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.models.logprobs import trained_logits
from pixel_core.rollout.episode import Episode, RenderedPrompt, run_episodes
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.tool_calls import SelectCall, ZoomCall, format_call
from pixel_core.rollout.transcript import Transcript

GREEDY = SamplingConfig(temperature=0.0)
#: High, so that rollouts of one question soon part.
WIDE = SamplingConfig(temperature=4.0)


def recomputed(world: Tiny, transcripts: list[Transcript], temperature: float) -> torch.Tensor:
    """Log-probabilities of all tokens of weight above 0, by the training forward pass."""
    batch = collate(transcripts, world.vocabulary.pad, world.vocabulary.image)
    with torch.no_grad():
        logits, targets, _ = trained_logits(
            world.model, batch, world.vocabulary.banned, temperature
        )
    return logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]


def sampled(transcripts: list[Transcript]) -> torch.Tensor:
    return torch.tensor(
        [lp for t in transcripts for w, lp in zip(t.weights, t.logprobs, strict=True) if w > 0]
    )


class Prompted(EmbeddedEngine):
    """The real engine; in the first turn calls are put in its rollouts' mouths.

    A model with random weights calls nothing. What it computes of the words is its own.
    """

    calls: dict[bool, list[str]]

    def generate(self, transcripts, sampling, max_new_tokens):
        done = super().generate(transcripts, sampling, max_new_tokens)
        if self.calls is None:
            return done
        said = []
        for row, (transcript, completion) in enumerate(zip(transcripts, done, strict=True)):
            texts = self.calls[len(transcript.visuals) > 1]
            tokens = self.vocabulary.encode_plain(texts[row % len(texts)])
            tokens.append(self.vocabulary.turn_end)
            said.append(replace(completion, tokens=tokens, logprobs=[-1.0] * len(tokens)))
            said[-1] = replace(said[-1], finished=True)
        self.calls = None  # type: ignore[assignment]
        self._kept = {}  # it did not say what it cached
        return said


def play(world: Tiny, openings: list[RenderedPrompt], samples: int) -> list[Episode]:
    config = world.prompts.dialogue
    engine = Prompted(world.model, world.vocabulary, seed=1)
    engine.calls = {
        False: [format_call(ZoomCall((4, 4, 40, 60), 1), config.zoom)],
        True: [format_call(SelectCall((2, 4)), config.zoom, config.frames)],
    }
    return run_episodes(engine, world.prompts, openings, samples, GREEDY)


def test_pictures_and_videos_in_one_batch_are_as_each_alone() -> None:
    world = tiny(config=dialogue(max_new_tokens=16))
    openings = [
        opening(world.prompts, 0),
        video_opening(world.prompts, 1),
        opening(world.prompts, 2, ((300, 900),)),
        video_opening(world.prompts, 3, frames=6),
    ]
    together = play(world, openings, samples=2)
    assert [(e.video, e.zooms, e.selections) for e in together[::2]] == [
        (False, 1, 0),
        (True, 0, 1),
    ] * 2
    for number, start in enumerate(openings):
        alone = play(world, [start], samples=1)[0]
        for episode in together[2 * number : 2 * number + 2]:
            assert episode.transcript.tokens == alone.transcript.tokens
            torch.testing.assert_close(
                torch.tensor(episode.transcript.logprobs),
                torch.tensor(alone.transcript.logprobs),
                atol=1e-5,
                rtol=0,
            )


def test_the_same_call_is_cut_once_for_a_group() -> None:
    world = tiny(config=dialogue(max_new_tokens=16))
    starts = [opening(world.prompts, 0), video_opening(world.prompts, 1)]
    first, second, third, fourth = play(world, starts, samples=2)
    assert first.transcript.visuals[-1] is second.transcript.visuals[-1]
    assert third.transcript.visuals[-2:] == fourth.transcript.visuals[-2:]
    assert first.shown is not second.shown
    assert first.transcript.visuals[-1] is not third.transcript.visuals[-1]


def test_rollouts_that_say_the_same_are_one_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    world = tiny()
    stepped: list[int] = []
    step = decoder.Decoder.step

    def counted(self, hidden, turned, cache):
        stepped.append(len(cache.lengths_n))
        return step(self, hidden, turned, cache)

    monkeypatch.setattr(decoder.Decoder, "step", counted)
    starts = [opening(world.prompts, seed) for seed in range(3)]
    engine = EmbeddedEngine(world.model, world.vocabulary, seed=1)
    run_episodes(engine, world.prompts, starts, 5, GREEDY)
    assert max(stepped) == 3  # one a question, until some have ended
    stepped.clear()
    run_episodes(engine, world.prompts, starts, 5, WIDE)
    assert 3 < max(stepped) <= 15


def grouped_query_world() -> Tiny:
    """Fewer key and value heads than query heads, as in the released models."""
    world = tiny()
    shape = type(world.model.config).from_dict(world.model.config.to_dict())
    shape.text_config.num_key_value_heads = 2
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Qwen2_5_VLForConditionalGeneration._from_config(
            shape, attn_implementation="sdpa", dtype=torch.float32
        ).eval()
    return Tiny(model, world.vocabulary, Renderer(world.prompts.dialogue, world.vocabulary))


@pytest.mark.parametrize("join", [True, False], ids=["copied", "large"])
def test_grouped_heads_and_large_models_sample_the_models_probabilities(
    join: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not join:
        monkeypatch.setattr(decoder, "_COPIED_PARAMETERS", 0)
    world = grouped_query_world()
    engine = EmbeddedEngine(world.model, world.vocabulary, seed=2)
    starts = [opening(world.prompts, 0), opening(world.prompts, 1, ((300, 900), (60, 60)))]
    prompts = [world.prompts.open(start.query, start.visuals) for start in starts]
    transcripts = [prompt.fork() for prompt in prompts for _ in range(4)]
    for _ in range(2):
        done = engine.generate(transcripts, WIDE, 10)
        for transcript, completion in zip(transcripts, done, strict=True):
            transcript.append_sampled(completion.tokens, completion.logprobs, trained=True)
            transcript.append(world.vocabulary.encode("\nuser\n"))
    torch.testing.assert_close(
        recomputed(world, transcripts, WIDE.temperature),
        sampled(transcripts),
        atol=1e-5,
        rtol=0,
    )


def test_new_weights_are_used_once_the_old_are_forgotten() -> None:
    world = grouped_query_world()
    start = opening(world.prompts, 0)
    engine = EmbeddedEngine(world.model, world.vocabulary, seed=2)
    (before,) = run_episodes(engine, world.prompts, [start], 1, GREEDY)
    with torch.no_grad():
        for parameter in world.model.model.language_model.layers.parameters():
            parameter.mul_(1.5)
    (after,) = run_episodes(engine, world.prompts, [start], 1, GREEDY)
    fresh = EmbeddedEngine(world.model, world.vocabulary, seed=2)
    (expected,) = run_episodes(fresh, world.prompts, [start], 1, GREEDY)
    assert after.transcript.logprobs == expected.transcript.logprobs
    assert after.transcript.logprobs != before.transcript.logprobs
