"""The rollout benchmark for GPUs on a CPU: every rollout zooms and answers as it was told."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.gpu.architecture import QWEN2_5_VL_7B
from bench.gpu.rollouts import SMALL, dialogue_of, measure, parsed, wordy, write_folder
from pixel_core.models.vllm_inputs import check_folder, head_rows
from pixel_core.rollout.tool_calls import parse_turn
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.tiny.tokenizer import build_tokenizer


def test_rollouts_are_measured() -> None:
    asked = parsed(["--tiny", "--repeats", "1", "--zooms", "1"])
    said = {figure.name: figure for figure in measure(asked)}
    assert set(said) == {"rollouts", "sampled tokens", "prompt tokens"}
    # Four rollouts of two turns of 60 tokens.
    rate = said["rollouts"].value / 60
    assert said["sampled tokens"].value == pytest.approx(120 * rate)
    assert said["prompt tokens"].value > said["sampled tokens"].value


def test_a_turn_too_short_for_its_call_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match="too few for a call"):
        measure(parsed(["--tiny", "--repeats", "1", "--words", "3"]))


def test_the_folder_vllm_is_given_names_the_tokenizers_pictures(tmp_path: Path) -> None:
    asked = parsed(["--tiny"])
    vocabulary = Vocabulary.of(build_tokenizer(dialogue_of(asked)))
    write_folder(SMALL, vocabulary, tmp_path)
    config = check_folder(tmp_path)
    assert config["image_token_id"] == vocabulary.image
    assert head_rows(config) == SMALL.vocabulary >= len(vocabulary.tokenizer)
    large = tmp_path / "large"
    write_folder(QWEN2_5_VL_7B, vocabulary, large)
    assert check_folder(large)["text_config"]["num_hidden_layers"] == 28


def test_words_are_all_that_can_be_said() -> None:
    dialogue = dialogue_of(parsed(["--tiny"]))
    vocabulary = wordy(Vocabulary.of(build_tokenizer(dialogue)))
    allowed = sorted(set(range(len(vocabulary.tokenizer))) - set(vocabulary.banned))
    assert len(allowed) > 100
    assert vocabulary.turn_end in vocabulary.banned
    assert parse_turn(vocabulary.decode(allowed), dialogue.zoom) is None
