"""Cards of episodes: finished, unfinished, about videos, and written by a hostile model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest
from PIL import Image

from pixel_core.config import QuestionShares, WorldConfig
from pixel_core.records import Box, Picture, Query, Rollout, Step, StopReason
from pixel_core.report.episodes.episode_card import episode_card
from pixel_core.report.episodes.fragment import episode_fragment, fragment_style
from pixel_core.report.episodes.gallery import Gallery, Role, in_memory
from pixel_core.tiny.draw import draw
from pixel_core.tiny.questions import ask
from pixel_core.tiny.scene import World

HOSTILE = "</p></style></svg><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"


def asked(pictures: int = 1, *, video: bool = False) -> tuple[Query, list[Image.Image]]:
    rng = random.Random(pictures)
    scenes = [World(WorldConfig()).scene(rng) for _ in range(pictures)]
    question = ask(scenes[0], rng, QuestionShares())
    images = [draw(scene) for scene in scenes]
    records = tuple(
        Picture(member=f"{n}", width=image.width, height=image.height, sha256="")
        for n, image in enumerate(images)
    )
    query = Query(
        id="q",
        question=question.question,
        pictures=records,
        is_video=video,
        answers=(question.answer,),
    )
    return query, images


@dataclass(frozen=True)
class Going:
    """An episode that is still under way."""

    steps: Sequence[Step] = ()
    stop: StopReason | None = None
    answer: str = ""
    operations: int = 0
    failed_operations: int = 0


def rollout(*steps: Step, answer: str = "7") -> Rollout:
    failed = sum(1 for step in steps if step.error)
    return Rollout(
        query_id="q",
        sample=0,
        steps=steps,
        stop=StopReason.ANSWERED,
        answer=answer,
        correct=True,
        operations=len(steps) - 1 - failed,
        failed_operations=failed,
        tokens=9,
    )


@dataclass
class Elements(HTMLParser):
    """What a browser would make of a fragment: its elements, and its text."""

    names: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_boxes_are_numbered_in_the_picture_they_were_cut_from() -> None:
    query, images = asked(2)
    first, second = Box(x1=10, y1=10, x2=90, y2=70), Box(x1=20, y1=20, x2=60, y2=60)
    told = rollout(
        Step(text="look", box=first, picture=1),
        Step(text="wrong", error="box_too_small"),
        Step(text="closer, in the crop", box=second, picture=2),
        Step(text="\\boxed{7}"),
    )
    card = episode_card(
        query, told, Gallery(in_memory(query.pictures, images)), model="policy", name="Policy"
    )
    assert [mark.label for mark in card.shots[0].marks] == []
    assert [(mark.box, mark.label) for mark in card.shots[1].marks] == [
        (first, "1"),
        (second, "2"),
    ]
    assert [step.number for step in card.steps] == [1, 0, 2, 0]
    assert [(view.width, view.height) for view in card.steps[0].views] == [(80, 60)]
    assert card.steps[1].error == "box too small"
    assert (card.operations, card.failed) == (2, 1)
    assert card.stop == "gave an answer"


def test_selected_frames_are_marked_in_the_strip() -> None:
    query, images = asked(4, video=True)
    told = rollout(
        Step(text="these", frames=(1, 2)), Step(text="and", frames=(2,)), Step(text="7")
    )
    card = episode_card(
        query, told, Gallery(in_memory(query.pictures, images)), model="policy", name="Policy"
    )
    assert card.strip is not None
    assert [frame.looks for frame in card.strip.frames] == [
        (),
        ((1, Role.LOOK),),
        ((1, Role.LOOK), (2, Role.LOOK)),
        (),
    ]
    assert [len(step.views) for step in card.steps] == [2, 1, 0]


@pytest.mark.parametrize("steps", [0, 1])
def test_an_unfinished_episode_says_so_and_gives_no_verdict(steps: int) -> None:
    query, images = asked()
    box = Box(x1=0, y1=0, x2=50, y2=50)
    gallery = Gallery(in_memory(query.pictures, images))
    going = Going([Step(text="look", box=box, picture=0)] * steps, operations=steps)
    card = episode_card(query, going, gallery, model="policy", name="Policy")
    found = Elements()
    found.feed(episode_fragment(card, gallery, styled=False))
    assert f"thinking: {steps} step" in found.text
    assert "no answer" not in found.text
    assert "right" not in found.text
    assert "wrong" not in found.text
    assert found.names.count("rect") == 3 * steps, "a box is a rim, a line and a label"


def test_what_a_model_wrote_never_becomes_markup() -> None:
    query, images = asked()
    gallery = Gallery(in_memory(query.pictures, images))
    harmless, hostile = Elements(), Elements()
    for found, text in ((harmless, "words"), (hostile, HOSTILE)):
        told = rollout(Step(text=text, error="bad_json"), Step(text=text), answer=text)
        card = episode_card(
            query, told, gallery, model="policy", name="Policy", correct=False, notes=[text]
        )
        found.feed(episode_fragment(card, gallery))
    assert hostile.names == harmless.names
    assert hostile.text.count(HOSTILE) == 4


def test_an_answer_without_end_is_clipped() -> None:
    query, images = asked()
    gallery = Gallery(in_memory(query.pictures, images))
    told = rollout(Step(text="a" * 100_000), answer="b" * 100_000)
    card = episode_card(query, told, gallery, model="policy", name="Policy")
    assert len(card.answer) < 300
    assert "more characters" in card.answer
    assert len(card.steps[0].text) < 5000


def test_fragments_on_one_page_name_their_pictures_apart() -> None:
    query, images = asked()
    pages = []
    for prefix in ("left", "right"):
        gallery = Gallery(in_memory(query.pictures, images), prefix)
        card = episode_card(query, Going(), gallery, model="policy", name="Policy")
        pages.append(episode_fragment(card, gallery, styled=False))
    for page, own, other in ((pages[0], "left", "right"), (pages[1], "right", "left")):
        assert f'href="#{own}-0"' in page
        assert f'id="{own}-0"' in page
        assert f"{other}-0" not in page
    assert "<style" not in pages[0]
    assert ".viewer" in fragment_style()
