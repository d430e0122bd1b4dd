"""What the engine promises beside agreement: endings, bans, weights, and clear refusals."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest
import torch
from tiny_world import call, opening
from warm_start import GREEDY, LOGPROB_TOLERANCE, Led, agreement

from pixel_core.config import PixelBudget, SamplingConfig
from pixel_core.errors import DataError
from pixel_core.rollout.episode import RenderedPrompt, run_episodes
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.tool_calls import opening_tokens

PLAIN = SamplingConfig(temperature=1.0)


def test_a_turn_ends_with_its_end_or_at_the_limit(warm_start, engine) -> None:
    start = warm_start.transcripts()
    limits = (1, 5, 28)
    for limit in limits:
        ours = warm_start.embedded().generate(start, GREEDY, limit)
        theirs = engine.generate(start, GREEDY, limit)
        assert agreement(ours, theirs)[0] == len(start)
        assert [c.finished for c in ours] == [c.finished for c in theirs]
        ends = [c.tokens.index(engine.vocabulary.turn_end) for c in theirs if c.finished]
        assert ends == [len(c.tokens) - 1 for c in theirs if c.finished]
        assert all(len(c.tokens) == limit for c in theirs if not c.finished)
    assert any(c.finished for c in theirs)
    assert not any(c.finished for c in engine.generate(start, GREEDY, 1))


def test_what_a_turn_bans_is_left_out_of_that_turn_alone(warm_start, engine) -> None:
    """Beside turns without such a ban in between, as episodes of two kinds are."""
    start = warm_start.transcripts()
    openers = opening_tokens(warm_start.vocabulary)
    plain = engine.generate(start, GREEDY, 28)
    assert any(set(openers) & set(c.tokens) for c in plain), "it calls where it may"
    theirs = engine.generate(start, GREEDY, 28, openers)
    ours = warm_start.embedded().generate(start, GREEDY, 28, openers)
    assert not set(openers) & {token for c in theirs for token in c.tokens}
    same, apart = agreement(ours, theirs)
    assert same == len(start)
    assert apart < LOGPROB_TOLERANCE
    same, _ = agreement(plain, engine.generate(start, GREEDY, 28))
    assert same == len(start)


@pytest.fixture(scope="module")
def wordy_engine(warm_start):
    opened = warm_start.wordy.vllm()
    yield opened
    opened.close()


def test_new_weights_are_used_and_old_ones_leave_no_trace(warm_start, wordy_engine) -> None:
    """The same transcripts before and after, so that every cache could answer with what the
    old weights made of them: the encoded pictures, the prompts' keys and values."""
    start = warm_start.wordy.transcripts(12)
    generator = torch.Generator().manual_seed(5)
    changed = copy.deepcopy(warm_start.model)
    with torch.no_grad():
        for parameter in changed.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter += 0.4 * parameter.std() * noise if parameter.numel() > 1 else 0
    before = warm_start.embedded().generate(start, GREEDY, 28)
    after = warm_start.embedded(changed).generate(start, GREEDY, 28)
    assert agreement(before, after)[0] < len(start) // 2
    for model, expected in ((None, before), (changed, after), (warm_start.model, before)):
        if model is not None:
            wordy_engine.load_weights(model.state_dict().items())
        same, apart = agreement(expected, wordy_engine.generate(start, GREEDY, 28))
        assert same == len(start)
        assert apart < LOGPROB_TOLERANCE


def test_a_picture_shown_under_other_budgets_is_refused(warm_start, engine) -> None:
    wide = warm_start.dialogue.model_copy(
        update={"picture": PixelBudget(min_pixels=100 * 784, max_pixels=100 * 784)}
    )
    source = warm_start.openings[0]
    prompts = Renderer(wide, warm_start.vocabulary)
    large = RenderedPrompt.of(source.query, [source.shown[0].image], prompts)
    with pytest.raises(ValueError, match="other budgets"):
        engine.generate([prompts.open(large.query, large.visuals)], GREEDY, 1)


def test_no_room_for_an_answer_is_refused(warm_start, engine) -> None:
    start = warm_start.transcripts(1)
    with pytest.raises(ValueError, match="leaves no room"):
        engine.generate(start, GREEDY, warm_start.dialogue.max_tokens)


def test_the_artifact_is_left_as_it_was(warm_start, engine) -> None:
    assert {file.name for file in warm_start.folder.iterdir()} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_what_was_read_before_is_not_read_again(warm_start, wordy_engine) -> None:
    """Through the prefix cache: a group shares its prompt, a later turn the one before it."""
    prompts, engine = warm_start.wordy.prompts, wordy_engine
    read, reused = engine.prompt_tokens, engine.reused_tokens
    starts = [opening(prompts, seed) for seed in range(3)]
    turn = f"zoom in on {call(prompts, (4, 4, 60, 60))}"
    leader = Led(engine, warm_start.vocabulary, [turn, turn])
    run_episodes(leader, prompts, starts, 3, PLAIN)
    assert engine.reused_tokens - reused > 0.7 * (engine.prompt_tokens - read)


# From here on engines are closed, and none that was open before generates any more.


def test_prompts_read_in_pieces_change_no_draw(warm_start) -> None:
    """Where vLLM's own seeds fail: a piece of a prompt ends in a draw that is thrown away."""
    said = []
    for batched_tokens in (24, 0):
        engine = warm_start.vllm(batched_tokens=batched_tokens, max_sequences=8)
        engine.reseed(3)
        said.append(engine.generate(warm_start.transcripts(), PLAIN, 28))
        engine.close()
    same, apart = agreement(*said)
    assert same == len(said[0])
    assert apart < LOGPROB_TOLERANCE


def test_banned_tokens_are_never_said_and_share_no_probability(warm_start) -> None:
    """By a model that would say a picture's placeholder and the end of text before all else."""
    favoured = copy.deepcopy(warm_start.model)
    banned = warm_start.vocabulary.banned
    with torch.no_grad():
        head = favoured.lm_head.weight
        norm_d = favoured.model.language_model.norm.weight
        head[list(banned)] = head.mean(0) + 3 * torch.randn(len(banned), len(norm_d))
    start = warm_start.transcripts()
    with torch.no_grad():
        ours = warm_start.embedded(favoured).generate(start, GREEDY, 28)
    engine = warm_start.vllm()
    engine.load_weights(favoured.state_dict().items())
    theirs = engine.generate(start, GREEDY, 28)
    sampled = engine.generate(start, PLAIN, 28)
    engine.close()
    assert not set(banned) & {t for c in (*theirs, *sampled) for t in c.tokens}
    same, apart = agreement(ours, theirs)
    assert same == len(start)
    assert apart < LOGPROB_TOLERANCE


def test_weights_that_are_not_all_are_refused(warm_start) -> None:
    engine = warm_start.vllm()
    some = list(warm_start.model.state_dict().items())[:3]
    with pytest.raises(DataError, match="3 weights were given"):
        engine.load_weights(some)
    engine.close()


def test_weights_cut_short_cannot_be_loaded(warm_start, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(warm_start.folder, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(DataError, match="could not load"):
        warm_start.vllm(folder=folder)
