"""Episodes in which no operation can be called: what is told, said, and refused."""

from __future__ import annotations

import pytest
import torch
from memorised import Memorised, memorised
from tiny_world import Scripted, call, dialogue, opening, tiny, video_opening
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from pixel_core.config import SamplingConfig
from pixel_core.models.batch import collate
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.models.logprobs import logprobs_of, trained_logits
from pixel_core.records import StopReason
from pixel_core.rollout.episode import run_episodes
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.tool_calls import SelectCall, format_call, opening_tokens
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.tiny.tokenizer import PAD, SPECIAL

GREEDY = SamplingConfig(temperature=0.0)
ANSWER = "\\boxed{7}"


@pytest.fixture(scope="module")
def known() -> Memorised:
    return memorised()


def without(known: Memorised, **changes: object) -> Renderer:
    return Renderer(dialogue(operations="none", **changes), known.world.vocabulary)


def test_the_full_prompt_tells_of_no_operation_and_still_of_the_box() -> None:
    vocabulary = tiny().vocabulary
    settings = {"prompt": "full", "max_tokens": 4096}
    none = Renderer(dialogue(operations="none", **settings), vocabulary)
    offered = Renderer(dialogue(**settings), vocabulary)
    for video in (False, True):
        before, after = none.around(video)
        told = before + after
        assert "tool" not in told.lower()
        assert "closer" not in told
        assert "zoom_in" not in told
        assert "select_frames" not in told
        assert "step by step" in after
        assert "\\boxed{}" in after
        assert "zoom_in" in "".join(offered.around(video))
    # A video's frames are shown and numbered all the same.
    shown = video_opening(none, 3)
    text = vocabulary.decode(none.open(shown.query, shown.visuals).tokens)
    assert "frames of a video" in text
    assert "Frame 4: " in text


def test_the_compact_prompt_is_the_same() -> None:
    world = tiny()
    none = Renderer(dialogue(operations="none"), world.vocabulary)
    for start in (opening(world.prompts, 1), video_opening(world.prompts, 2)):
        theirs = world.prompts.open(start.query, start.visuals)
        assert none.open(start.query, start.visuals).tokens == theirs.tokens


def test_what_opens_a_call_is_found_in_either_kind_of_vocabulary() -> None:
    world = tiny()
    openers = opening_tokens(world.vocabulary)
    frames = world.prompts.dialogue.frames
    for text in (
        call(world.prompts, (8, 8, 60, 60)),
        format_call(SelectCall((1, 2)), world.prompts.dialogue.zoom, frames),
    ):
        assert world.vocabulary.encode_plain(text)[0] in openers
    # Qwen2.5 has the tag alone, as an added token that is not special, beside byte-level words.
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.train_from_iterator(
        ["look closer"],
        trainers.BpeTrainer(special_tokens=SPECIAL, show_progress=False),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token=PAD, additional_special_tokens=SPECIAL[1:]
    )
    tokenizer.add_tokens(["<tool_call>", "</tool_call>"])
    added = tokenizer.convert_tokens_to_ids("<tool_call>")
    assert tokenizer("look <tool_call>").input_ids[-1] == added
    assert opening_tokens(Vocabulary.of(tokenizer)) == (added,)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_engine_opens_no_call_and_its_numbers_leave_calls_out(
    known: Memorised, temperature: float
) -> None:
    """Of a model that begins three of four answers with a call."""
    engine = EmbeddedEngine(known.world.model, known.world.vocabulary, seed=5)
    prompts = without(known)
    episodes = run_episodes(
        engine, prompts, known.openings, 2, SamplingConfig(temperature=temperature)
    )
    openers = set(prompts.banned)
    assert openers
    assert not openers & {token for one in episodes for token in one.transcript.tokens}
    assert {one.operations for one in episodes} == {0}
    first = episodes[0].transcript
    if temperature == 0:
        assert episodes[0].steps[0].text == known.turns[0][0]  # it knows this without looking

    # The same numbers from another forward, with those tokens out of its distribution.
    ended = [one.transcript for one in episodes if one.stop is not StopReason.TRUNCATED]
    assert first in ended
    vocabulary = known.world.vocabulary
    batch = collate(ended, vocabulary.pad, vocabulary.image)
    banned = (*vocabulary.banned, *prompts.banned)
    with torch.inference_mode():
        logits, targets, _ = trained_logits(known.world.model, batch, banned)
    given = [p for one in ended for p, w in zip(one.logprobs, one.weights, strict=True) if w]
    torch.testing.assert_close(
        logprobs_of(logits, targets), torch.tensor(given), atol=2e-4, rtol=1e-4
    )


def test_the_next_turn_of_the_same_engine_may_call_again(known: Memorised) -> None:
    engine = EmbeddedEngine(known.world.model, known.world.vocabulary)
    run_episodes(engine, without(known), known.openings, 1, GREEDY)
    (episode,) = run_episodes(engine, known.world.prompts, known.openings[1:2], 1, GREEDY)
    assert [step.text for step in episode.steps] == known.turns[1]


@pytest.mark.parametrize("written", ["<tool_call>{}</tool_call>", "<tool_call>", "zoom"])
def test_a_call_in_words_is_refused_as_an_attempt(written: str) -> None:
    """As an endpoint may write it, which keeps no ban of ours."""
    world = tiny(config=dialogue(operations="none"))
    start = opening(world.prompts, 1)
    said = call(world.prompts, (8, 8, 60, 60)) if written == "zoom" else written
    engine = Scripted(world.vocabulary, [[said, ANSWER]])
    (episode,) = run_episodes(engine, world.prompts, [start], 1, GREEDY)
    assert [step.error for step in episode.steps] == ["not_offered", ""]
    assert (episode.operations, episode.failures, episode.attempts) == (0, 1, 1)
    assert (episode.stop, episode.answer) == (StopReason.ANSWERED, "7")
    told = world.vocabulary.decode(episode.transcript.tokens)
    assert "Execution error: there is no operation to call here" in told
    assert len(episode.transcript.visuals) == 1


def test_a_closing_tag_alone_is_text() -> None:
    world = tiny(config=dialogue(operations="none"))
    engine = Scripted(world.vocabulary, [["1}}</tool_call> " + ANSWER]])
    (episode,) = run_episodes(engine, world.prompts, [opening(world.prompts, 1)], 1, GREEDY)
    assert (episode.answer, episode.attempts) == ("7", 0)
