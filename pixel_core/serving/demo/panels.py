"""What the page shows for a question: two columns, and a line between question and answers.

All foreign text (models' output, questions, file names) is escaped by templates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment
from PIL import Image

from pixel_core.config import DialogueConfig
from pixel_core.records import Picture, Query, StopReason
from pixel_core.report.episodes.episode_card import episode_card
from pixel_core.report.episodes.fragment import episode_fragment
from pixel_core.report.episodes.gallery import Gallery, in_memory
from pixel_core.report.html.templating import page_environment
from pixel_core.rewards.grading import grade
from pixel_core.rollout.operations import show
from pixel_core.serving.demo.comparison import AnswerPair, Course
from pixel_core.serving.media import Seen


@dataclass(frozen=True)
class Asker:
    """The model that answers. ``model``: the report's colour class (base, warm_start, policy);
    ``name``: for display."""

    model: str
    name: str
    dialogue: DialogueConfig


@dataclass(frozen=True)
class Columns:
    """HTML of the model with its operations, and of the same model without."""

    looking: str
    plain: str


class Sheet:
    """The two columns of one picture or video; redrawn often, embedded once.

    The first shows it as uploaded, since crops are cut from that; the second as the model
    sees it. Raises ``MediaError`` for media that can't be shown.
    """

    def __init__(self, asker: Asker, seen: Seen) -> None:
        self._asker = asker
        self._looking = _Column(seen.images, seen.is_video, "looking")
        self._plain = _Column(_reduced(seen, asker.dialogue), seen.is_video, "plain")

    def columns(self, pair: AnswerPair, truth: str = "") -> Columns:
        """``truth``: the right answer; "" if unknown."""
        asker = self._asker
        return Columns(
            self._looking.html(
                pair.looking, asker.model, f"{asker.name}, looking closer", truth
            ),
            self._plain.html(pair.plain, "base", "Without looking closer", truth),
        )


class _Column:
    def __init__(self, images: Sequence[Image.Image], is_video: bool, prefix: str) -> None:
        pictures = tuple(
            Picture(member=str(number), width=image.width, height=image.height, sha256="")
            for number, image in enumerate(images)
        )
        self._query = Query(
            id="demo", question="", pictures=pictures, is_video=is_video, answers=("",)
        )
        # Columns share a page, so each uses its own names for its embedded pictures.
        self._gallery = Gallery(in_memory(pictures, images), prefix)

    def html(self, course: Course, model: str, name: str, truth: str) -> str:
        query = self._query.model_copy(update={"answers": (truth,)})
        card = episode_card(
            query,
            course,
            self._gallery,
            model=model,
            name=name,
            correct=_verdict(course, query),
            notes=[f"{course.seconds:.1f} s"],
            pending=_pending(course),
        )
        shown = episode_fragment(card, self._gallery, styled=False)
        return shown + message(course.error, bad=True)


def message(text: str, *, bad: bool = False) -> str:
    """A sentence for the visitor; ``bad``: something failed. "" shows nothing."""
    return _environment().get_template("message.html.jinja").render(text=text, bad=bad)


def _reduced(seen: Seen, dialogue: DialogueConfig) -> list[Image.Image]:
    budget = dialogue.frames.frame if seen.is_video else dialogue.picture
    shown = [show(image, number, budget) for number, image in enumerate(seen.images)]
    return [one.image.resize(one.size, Image.Resampling.BICUBIC) for one in shown]


def _pending(course: Course) -> str:
    if course.error:
        return "ended without an answer"
    return "" if course.asked else "not asked yet"


def _verdict(course: Course, query: Query) -> bool | None:
    """None if there is no answer yet, or the right one is unknown."""
    if course.stop is None or not query.answers[0]:
        return None
    return course.stop is StopReason.ANSWERED and grade(course.answer, query)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return page_environment("pixel_core.serving.demo")
