"""What vLLM is given, where vLLM itself is not needed: folders, limits, prompts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny_world import Scripted, call, dialogue, opening, tiny
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from pixel_core.config import (
    DialogueConfig,
    FramesConfig,
    PixelBudget,
    SamplingConfig,
    VllmConfig,
)
from pixel_core.errors import ConfigError, DataError
from pixel_core.media.budget import fit
from pixel_core.models.loading import FOLDER, save_model
from pixel_core.models.vllm_engine import VllmEngine
from pixel_core.models.vllm_inputs import (
    check_folder,
    dress,
    head_rows,
    largest_area,
    prompt_of,
)
from pixel_core.rollout.episode import run_episodes
from pixel_core.rollout.operations import show
from pixel_core.rollout.transcript import Transcript, Visual

LARGE = 10**9


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("artifact")
    world = tiny()
    save_model(world.model, world.vocabulary.tokenizer, out)
    return out / FOLDER


def episode() -> Transcript:
    """Two pictures, then a crop of each, then an answer."""
    world = tiny()
    start = opening(world.prompts, 0, ((448, 224), (500, 500)))
    turns = [call(world.prompts, (4, 4, 50, 50), target) for target in (1, 2)]
    script = Scripted(world.vocabulary, [[*turns, "\\boxed{7}"]])
    (done,) = run_episodes(script, world.prompts, [start], 1, SamplingConfig())
    assert done.operations == 2
    return done.transcript


def test_a_prompt_has_one_placeholder_a_picture_and_loses_nothing_else() -> None:
    transcript, image = episode(), tiny().vocabulary.image
    prompt = prompt_of(transcript, image, LARGE)
    again: list[int] = []
    visuals = iter(transcript.visuals)
    for token in prompt["prompt_token_ids"]:
        again += [token] * (next(visuals).tokens if token == image else 1)
    assert again == transcript.tokens
    assert prompt["prompt_token_ids"].count(image) == 4
    sizes = [picture.size for picture in prompt["multi_modal_data"]["image"]]
    assert sizes == [visual.size for visual in transcript.visuals]


def test_text_alone_brings_no_pictures() -> None:
    assert prompt_of(Transcript(tokens=[5, 6, 7]), 1, LARGE) == {"prompt_token_ids": [5, 6, 7]}


def test_placeholders_and_pictures_that_do_not_belong_together_are_refused() -> None:
    transcript, image = episode(), tiny().vocabulary.image
    with pytest.raises(ValueError, match="other budgets"):
        prompt_of(transcript, image, 100 * 100)
    fewer = Transcript(tokens=transcript.tokens, visuals=transcript.visuals[:-1])
    with pytest.raises(ValueError, match="does not hold"):
        prompt_of(fewer, image, LARGE)
    more = Transcript(tokens=transcript.tokens, visuals=[*transcript.visuals] * 2)
    with pytest.raises(ValueError, match="none of its tokens show"):
        prompt_of(more, image, LARGE)
    cut = transcript.tokens.index(image) + 3
    with pytest.raises(ValueError, match="does not hold"):
        prompt_of(Transcript(transcript.tokens[:cut], visuals=transcript.visuals), image, LARGE)


@given(
    width=st.integers(1, 6000),
    height=st.integers(1, 6000),
    low=st.integers(1, 3000 * 784),
    spread=st.integers(0, 3000 * 784),
)
def test_no_picture_is_shown_larger_than_the_limit(width, height, low, spread) -> None:
    width, height = max(width, -(-height // 200)), max(height, -(-width // 200))
    budget = PixelBudget(min_pixels=low, max_pixels=low + spread)
    columns, rows = fit(width, height, budget)
    least = PixelBudget(min_pixels=1, max_pixels=1)
    others = {"crop": least, "frames": FramesConfig(frame=least, selected=least)}
    config = DialogueConfig(picture=budget, **others)
    assert columns * rows <= largest_area(config)


def test_the_processor_of_a_dressed_folder_takes_pictures_as_they_are_shown(
    model_folder: Path, tmp_path: Path
) -> None:
    """Strips and pictures grown to the least size included: those exceed their budgets."""
    config = dialogue(picture=PixelBudget(min_pixels=20 * 784, max_pixels=20 * 784))
    dress(model_folder, tmp_path, config)
    processor = Qwen2VLImageProcessorPil.from_pretrained(tmp_path)
    for size in ((30, 30), (2000, 10), (10, 1999), (700, 500), (28, 29)):
        noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
        visual = Visual(show(Image.fromarray(noise), 0, config.picture))
        taken = processor(images=[visual.image], return_tensors="np")
        assert taken["image_grid_thw"].prod() == 4 * visual.tokens
        assert np.array_equal(taken["pixel_values"], visual.patches)


def test_a_dressed_folder_links_the_model_and_drops_a_processor_of_its_own(
    model_folder: Path, tmp_path: Path
) -> None:
    released, into = tmp_path / "released", tmp_path / "into"
    released.mkdir()
    into.mkdir()
    for file in model_folder.iterdir():
        (released / file.name).write_bytes(file.read_bytes())
    own = '{"max_pixels": 1, "min_pixels": 1}'
    (released / "preprocessor_config.json").write_text(own)
    dress(released, into, dialogue())
    assert (into / "model.safetensors").is_symlink()
    assert "max_pixels" not in json.loads((into / "preprocessor_config.json").read_text())
    assert (released / "preprocessor_config.json").read_text() == own


def test_the_heads_rows_are_read_where_either_form_keeps_them(model_folder: Path) -> None:
    rows = tiny().model.lm_head.out_features
    assert head_rows(check_folder(model_folder)) == rows
    assert head_rows({"vocab_size": 152064, "text_config": {}}) == 152064
    with pytest.raises(DataError, match="vocab_size None"):
        head_rows({})


def test_more_tokens_than_the_model_was_made_for_are_refused(model_folder: Path) -> None:
    long = dialogue(max_tokens=4096)
    with pytest.raises(ConfigError, match="4096 is above the 2048 positions"):
        VllmEngine(model_folder, tiny().vocabulary, long, VllmConfig())


def test_without_vllm_the_error_says_where_it_is(model_folder: Path) -> None:
    world = tiny()
    with pytest.raises(ConfigError, match="GPU plane"):
        VllmEngine(model_folder, world.vocabulary, dialogue(), VllmConfig())


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (None, "No such file"),
        ("{", "config.json"),
        ("[]", "None"),
        ('{"model_type": "llama"}', "llama"),
    ],
)
def test_a_folder_that_is_no_such_model_is_refused(tmp_path: Path, config, said) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(DataError, match=said):
        VllmEngine(tmp_path, tiny().vocabulary, dialogue(), VllmConfig())
