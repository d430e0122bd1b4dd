"""A loaded model is asked, and answers as in evaluation."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from kept_models import make
from memorised import memorised
from PIL import Image

from pixel_core.config import PipelineConfig
from pixel_core.errors import Cancelled, ConfigError, DataError, EngineFailed, MediaError
from pixel_core.models.loading import FOLDER
from pixel_core.serving.answer import Answer
from pixel_core.serving.media import MediaLimits
from pixel_core.serving.model_folder import PAPER, latest_model, model_path
from pixel_core.serving.reasoner import Reasoner
from pixel_core.workflow.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models") / "store"
    make(place)
    return place


@pytest.fixture(scope="module")
def reasoner(store: Path) -> Iterator[Reasoner]:
    with Reasoner.load(model_path(Store.open(str(store)))) as loaded:
        yield loaded


def picture(number: int) -> Image.Image:
    return memorised().openings[number].shown[0].image


def question(number: int) -> str:
    return memorised().openings[number].query.question


def texts(answer: Answer) -> list[str]:
    return [step.text for step in answer.steps]


def test_the_dialogue_is_the_one_it_was_trained_with(reasoner: Reasoner) -> None:
    assert reasoner.dialogue == memorised().world.prompts.dialogue
    assert reasoner.name.startswith("rl ")


def test_it_answers_about_a_picture(reasoner: Reasoner, tmp_path: Path) -> None:
    picture(1).save(tmp_path / "cards.png")
    for media in (tmp_path / "cards.png", picture(1), np.asarray(picture(1))):
        answer = reasoner.ask(media, question(1))
        assert texts(answer) == memorised().turns[1]
        assert (answer.text, answer.operations) == ("4", 1)
        assert answer.steps[0].box is not None
        region = answer.steps[0].box.as_tuple()
        assert answer.steps[0].crops[0].tobytes() == picture(1).crop(region).tobytes()


def test_it_answers_about_a_video(reasoner: Reasoner) -> None:
    frames = [shown.image for shown in memorised().openings[3].shown]
    answer = reasoner.ask(frames, question(3), video=True)
    assert texts(answer) == memorised().turns[3]
    assert answer.steps[0].frames == (1, 2)
    assert [crop.tobytes() for crop in answer.steps[0].crops] == [
        frame.tobytes() for frame in frames[1:3]
    ]
    assert len(answer.pictures) == 4


def test_turns_are_streamed(reasoner: Reasoner) -> None:
    *steps, answer = reasoner.stream(picture(2), question(2))
    assert isinstance(answer, Answer)
    assert tuple(steps) == answer.steps
    assert texts(answer) == memorised().turns[2]

    async def heard() -> list[object]:
        return [one async for one in reasoner.stream_async(picture(2), question(2))]

    assert texts(asyncio.run(heard())[-1]) == memorised().turns[2]


def test_operations_can_be_taken_away_or_counted(reasoner: Reasoner) -> None:
    for how in ({"operations": False}, {"max_operations": 0}):
        answer = reasoner.ask(picture(1), question(1), **how)
        assert answer.operations == 0
        assert "<tool_call>" not in texts(answer)[0]
    few = reasoner.ask(picture(2), question(2), max_operations=1)
    assert few.stop == "too_many_operations"


def test_several_pictures_and_choices_join_the_question(reasoner: Reasoner) -> None:
    two = reasoner.ask([picture(0), picture(1)], question(0), choices=("7", "4"))
    assert len(two.pictures) == 2
    assert two.query.choices == ("7", "4")
    one = reasoner.ask(picture(0), question(0))
    assert two.prompt_tokens > one.prompt_tokens + 16


@pytest.mark.parametrize(
    ("how", "error", "told"),
    [
        ({"temperature": -1}, ConfigError, "temperature -1"),
        ({"temperature": float("nan")}, ConfigError, "temperature nan"),
        ({"top_p": 0}, ConfigError, "top_p 0"),
        ({"max_operations": -1}, ConfigError, "max_operations -1"),
        ({"seconds": 0}, ConfigError, "leaves no time"),
        ({"choices": ("a",)}, DataError, "1 choices"),
        ({"choices": "ab"}, DataError, "one text"),
        ({"choices": ("a", 5)}, DataError, "a choice is a int"),
        ({"choices": ("a", "\ud800")}, DataError, "half a character"),
        ({"choices": ("a", " ")}, DataError, "none empty"),
        ({"choices": tuple(map(str, range(27)))}, DataError, "27 choices"),
        ({"frames": 0}, MediaError, "0 frames"),
    ],
)
def test_settings_without_a_sense_are_refused(reasoner: Reasoner, how, error, told) -> None:
    with pytest.raises(error, match=told):
        reasoner.ask(picture(0), question(0), **how)


def test_questions_that_cannot_be_put(reasoner: Reasoner) -> None:
    for media, text, error, told in (
        (picture(0), " \n", DataError, "the question is empty"),
        (picture(0), "a\udc80?", DataError, "half a character"),
        (picture(0), 5, DataError, "a question is a int: give a text"),
        (picture(0), None, DataError, "a question is a NoneType"),
        (picture(0), "why? " * 20_000, DataError, "100,000 characters"),
        (picture(0), "why " * 2_000, DataError, "tokens and 992 are allowed"),
        (Image.new("RGB", (2000, 9)), "what?", MediaError, "too narrow"),
        (b"", "what?", MediaError, "is empty"),
    ):
        with pytest.raises(error, match=told):
            reasoner.ask(media, text)
    assert reasoner.ask(picture(0), question(0)).text == "7"


def test_special_tokens_in_a_question_are_only_letters(reasoner: Reasoner) -> None:
    # As a token, the placeholder would ask for a picture that is not there.
    named = reasoner.ask(picture(0), "a <|image_pad|><|im_end|> b", max_operations=0)
    plain = reasoner.ask(picture(0), "a  b", max_operations=0)
    assert named.prompt_tokens > plain.prompt_tokens + 2


def test_the_latest_model_of_a_store_by_its_name(store: Path, tmp_path: Path) -> None:
    assert latest_model(Store.open(str(store))).stage == "rl"
    with pytest.raises(DataError, match=r"no warm_start in .* pixel run --until sft"):
        latest_model(Store.open(str(store)), "warm_start")


def test_a_profile_lays_its_evaluation_over_the_training(store: Path) -> None:
    path = model_path(Store.open(str(store)))
    config = PipelineConfig.model_validate(
        {"benchmarks": {"answers": {"max_new_tokens": 40, "crop": {"max_pixels": 7056}}}}
    )
    with Reasoner.load(path, profile=config) as loaded:
        assert loaded.dialogue.max_new_tokens == 40
        assert loaded.dialogue.crop.max_pixels == 7056
        assert loaded.dialogue.picture == memorised().world.prompts.dialogue.picture
    with Reasoner.load(path / FOLDER, dialogue=PAPER) as loaded:
        assert loaded.dialogue == PAPER


def test_a_plain_folder_is_asked_as_the_paper_evaluates(store: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model_path(Store.open(str(store))) / FOLDER, tmp_path / "plain")
    with Reasoner.load(folder, limits=MediaLimits(pixels=50_000)) as loaded:
        assert loaded.dialogue == PAPER
        assert loaded.dialogue.picture.min_pixels == 512 * 28 * 28
        with pytest.raises(MediaError, match="allowed are 50,000"):
            loaded.ask(picture(0), "what?")


def test_a_closed_reasoner_says_so(store: Path) -> None:
    loaded = Reasoner.load(model_path(Store.open(str(store))))
    assert loaded.ask(picture(0), question(0)).text == "7"
    loaded.close()
    with pytest.raises((EngineFailed, Cancelled), match="closed"):
        loaded.ask(picture(0), question(0))
