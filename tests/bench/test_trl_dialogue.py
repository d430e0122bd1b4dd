"""The peer's dialogue is ours: prompts, returns, pictures, and what is counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tiny_world import Scripted, call, opening, tiny

from bench.trl.dialogue import (
    Opened,
    PictureProcessor,
    count,
    environment_of,
    processor_of,
    view,
)
from bench.trl.job import Work
from pixel_core.config import SamplingConfig
from pixel_core.rollout.episode import RenderedPrompt, run_episodes
from pixel_core.rollout.operations import zoom
from pixel_core.rollout.tool_calls import ZoomCall
from pixel_core.rollout.transcript import Transcript, Visual

ANSWER = "\\boxed{7}"
BOX = (10, 20, 80, 90)


@pytest.fixture(scope="module")
def asked() -> RenderedPrompt:
    return opening(tiny().prompts, seed=3)


@pytest.fixture(scope="module")
def processor() -> PictureProcessor:
    return processor_of(tiny().vocabulary.tokenizer, tiny().prompts.dialogue)


def written(processor: PictureProcessor, messages: list[dict[str, Any]]) -> Any:
    return processor.apply_chat_template(
        [messages], add_generation_prompt=True, tokenize=True, return_dict=True
    )


def picture(image: Any) -> dict[str, Any]:
    return {"type": "image", "image": image}


def question(asked: RenderedPrompt) -> dict[str, Any]:
    content = [picture(view(asked.shown[0])), {"type": "text", "text": asked.query.question}]
    return {"role": "user", "content": content}


def test_a_prompt_has_our_tokens_and_our_patches(
    asked: RenderedPrompt, processor: PictureProcessor
) -> None:
    said = written(processor, [question(asked)])
    ours = tiny().prompts.open(asked.query, asked.visuals)
    assert list(said["input_ids"][0]) == ours.tokens
    assert np.array_equal(np.asarray(said["pixel_values"]), asked.visuals[0].patches)


def test_a_crop_comes_back_with_our_tokens_and_our_patches(
    asked: RenderedPrompt, processor: PictureProcessor
) -> None:
    prompts = tiny().prompts
    world = environment_of(
        {"q": Opened(asked.query.question, asked.shown[0], view(asked.shown[0]))},
        prompts.dialogue,
    )()
    world.reset(query_id="q", images=[])
    returned = world.zoom_in(bbox_2d=list(BOX), target_image=1)
    assert (world.attempts, world.executed) == (1, 1)
    messages = [
        question(asked),
        {"role": "assistant", "content": [{"type": "text", "text": call(prompts, BOX)}]},
        {"role": "tool", "name": "zoom_in", "content": returned},
    ]
    said = written(processor, messages)
    crop = Visual(zoom(ZoomCall(BOX, 1), asked.shown, prompts.dialogue))
    ours = Transcript()
    prompts.crop(ours, crop, index=2)
    assert list(said["input_ids"][0][-len(ours.tokens) :]) == ours.tokens
    patches = np.asarray(said["pixel_values"])[-len(crop.patches) :]
    assert np.array_equal(patches, crop.patches)


def test_a_refused_call_comes_back_as_text_and_shows_nothing(asked: RenderedPrompt) -> None:
    shown = asked.shown[0]
    opened = {"q": Opened(asked.query.question, shown, view(shown))}
    world = environment_of(opened, tiny().prompts.dialogue)()
    world.reset(query_id="q", images=[])
    (said,) = world.zoom_in(bbox_2d=[0, 0, 50, 50], target_image=2)
    assert said["text"].startswith("Execution error: target_image 2")
    assert (world.attempts, world.executed) == (1, 0)
    world.reset(query_id="q", images=[])
    assert (world.attempts, world.shown) == (0, [shown])


@pytest.mark.parametrize(
    "turns",
    [
        [ANSWER],
        [call(tiny().prompts, BOX), ANSWER],
        [call(tiny().prompts, BOX), call(tiny().prompts, BOX, target=2), ANSWER],
        [call(tiny().prompts, BOX, target=5), ANSWER],
        [call(tiny().prompts, BOX, target=5), call(tiny().prompts, BOX), "x " * 40],
        ["x " * 40],
    ],
)
def test_a_rollout_counts_as_its_episode_does(asked: RenderedPrompt, turns: list[str]) -> None:
    vocabulary, prompts = tiny().vocabulary, tiny().prompts
    engine = Scripted(vocabulary, [turns])
    (episode,) = run_episodes(engine, prompts, [asked], 1, SamplingConfig())
    prompt = prompts.open(asked.query, asked.visuals)
    completion = episode.transcript.tokens[len(prompt) :]
    header = vocabulary.encode("<|im_start|>assistant\n")
    counted = count(completion, vocabulary.turn_end, header, vocabulary.image)
    assert counted == Work(1, int(episode.operations > 0), episode.sampled)


def test_a_picture_that_nothing_was_written_after_does_not_count(asked: RenderedPrompt) -> None:
    vocabulary, prompts = tiny().vocabulary, tiny().prompts
    turn = [*vocabulary.encode_plain(call(prompts, BOX)), vocabulary.turn_end]
    returned = Transcript()
    prompts.crop(returned, asked.visuals[0], index=2)
    header = vocabulary.encode("<|im_start|>assistant\n")
    counted = count([*turn, *returned.tokens], vocabulary.turn_end, header, vocabulary.image)
    assert counted == Work(1, 0, len(turn))
