"""Transcripts as vLLM takes them: token ids with one placeholder a picture, and the pictures.

vLLM writes a picture's placeholder out to as many tokens as its processor counts. It is given
pictures at the size they are shown, so that it counts what the transcript counted.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pixel_core.config import DialogueConfig, PixelBudget
from pixel_core.errors import ConfigError, DataError
from pixel_core.media.budget import FACTOR, MAX_ASPECT_RATIO, MERGE, PATCH
from pixel_core.media.patches import MEAN, MOMENTS, STD
from pixel_core.nesting import loads
from pixel_core.rollout.transcript import Transcript

# A model's folder as vLLM reads it: the artifact's files, and a processor's settings.
#
# Our model artifacts have no processor, because this project cuts its own patches. vLLM wants
# one. Its settings are written beside links to the artifact's files, which stay untouched; a
# released model's own settings are left out, so that pixel limits stand in one place only.


_PROCESSOR = ("processor_config.json", "preprocessor_config.json")
_VIDEO_PROCESSOR = "video_preprocessor_config.json"

MODEL_TYPE = "qwen2_5_vl"


def check_folder(folder: Path) -> dict[str, Any]:
    """The model's configuration. ``DataError`` when this is no Qwen2.5-VL model."""
    path = folder / "config.json"
    try:
        config = loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} is not a model: {path.name}: {error}") from error
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != MODEL_TYPE:
        raise DataError(f"{path} describes a {kind!r}, not a {MODEL_TYPE!r} model")
    return config


def head_rows(config: dict[str, Any]) -> int:
    """Rows of the model's head: released models have more than there are tokens."""
    rows = config.get("text_config", config).get("vocab_size", config.get("vocab_size"))
    if not isinstance(rows, int) or rows < 1:
        raise DataError(f"config.json gives vocab_size {rows!r}: a number of tokens is needed")
    return rows


def check_room(config: dict[str, Any], dialogue: DialogueConfig) -> None:
    """``ConfigError`` when an episode may be longer than the model was made for."""
    positions = config.get("text_config", config).get("max_position_embeddings")
    if isinstance(positions, int) and positions < dialogue.max_tokens:
        raise ConfigError(
            f"dialogue.max_tokens {dialogue.max_tokens} is above the {positions} positions "
            "that the model was made for: lower it"
        )


def dress(folder: Path, into: Path, dialogue: DialogueConfig) -> None:
    """Link the model's files into an empty folder and write the processor's settings there."""
    for file in folder.iterdir():
        if file.is_file() and file.name not in (*_PROCESSOR, _VIDEO_PROCESSOR):
            (into / file.name).symlink_to(file.resolve())
    settings = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
        "size": {"shortest_edge": FACTOR**2, "longest_edge": largest_area(dialogue)},
        "patch_size": PATCH,
        "temporal_patch_size": MOMENTS,
        "merge_size": MERGE,
        "image_mean": MEAN,
        "image_std": STD,
    }
    (into / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    # Frames are shown as pictures; the processor wants settings for videos all the same.
    video = {
        **settings,
        "video_processor_type": "Qwen2VLVideoProcessor",
        "size": {"shortest_edge": FACTOR**2, "longest_edge": FACTOR**2},
    }
    del video["image_processor_type"]
    (into / _VIDEO_PROCESSOR).write_text(json.dumps(video), encoding="utf-8")


def largest_area(dialogue: DialogueConfig) -> int:
    """No picture of this dialogue is shown with more pixels than this.

    vLLM's processor is given this limit, and at least one token, instead of the budgets:
    pictures come to it as they are shown, so that within the limit it never resizes them.
    """
    budgets = (dialogue.picture, dialogue.crop, dialogue.frames.frame, dialogue.frames.selected)
    return max(map(_largest, budgets))


def _largest(budget: PixelBudget) -> int:
    """An upper bound of ``budget.fit``'s areas; it can exceed the budget in two cases."""
    # A strip whose short side was kept at one token.
    strip = FACTOR * math.ceil(math.sqrt(budget.max_pixels * MAX_ASPECT_RATIO))
    # Both sides grown to the least area, and then up to whole tokens.
    long = math.sqrt(budget.min_pixels * MAX_ASPECT_RATIO)
    short = budget.min_pixels / long
    grown = math.ceil((long + FACTOR) * (short + FACTOR))
    return max(budget.max_pixels, strip, grown)


def prompt_of(transcript: Transcript, image: int, largest: int) -> dict[str, Any]:
    """vLLM's form of a prompt. ``image``: the placeholder; ``largest``: pixels of a picture.

    Raises ``ValueError`` for a picture above ``largest`` (it was shown under other budgets
    than the engine was started with, and vLLM would resize it), and for placeholders that
    are not the transcript's pictures.
    """
    tokens, visuals = [], iter(transcript.visuals)
    at, end = 0, len(transcript.tokens)
    while at < end:
        token = transcript.tokens[at]
        tokens.append(token)
        if token != image:
            at += 1
            continue
        visual = next(visuals, None)
        run = visual.tokens if visual else 0
        if not visual or transcript.tokens[at : at + run] != [image] * run:
            raise ValueError(f"token {at} begins a picture that the transcript does not hold")
        if visual.size[0] * visual.size[1] > largest:
            raise ValueError(
                f"a picture of {visual.size[0]} x {visual.size[1]} pixels is above the "
                f"engine's {largest}: it was shown under other budgets than the engine has"
            )
        at += run
    if next(visuals, None) is not None:
        raise ValueError("the transcript holds a picture that none of its tokens show")
    prompt: dict[str, Any] = {"prompt_token_ids": tokens}
    if transcript.visuals:
        images = [visual.image for visual in transcript.visuals]
        prompt["multi_modal_data"] = {"image": images}
    return prompt
