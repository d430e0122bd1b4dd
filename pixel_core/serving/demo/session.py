"""The page's actions: choose a picture, ask, and show how both answers come about."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixel_core.errors import MediaError, PixelError
from pixel_core.media.deadline import Deadline
from pixel_core.serving.demo.comparison import AnswerPair, ask_both
from pixel_core.serving.demo.examples import Example
from pixel_core.serving.demo.middleware import NOT_UPLOADED, Uploads
from pixel_core.serving.demo.panels import Asker, Sheet, message
from pixel_core.serving.media import Seen
from pixel_core.serving.reasoner import Reasoner

NOTHING = "Choose a picture, or upload one, and ask something about it."


@dataclass(frozen=True)
class PageView:
    """HTML of the two columns and of the line above them. None: unchanged."""

    looking: str | None
    plain: str | None
    notice: str


class Demo:
    """One model and its examples, for all visitors. Stores nothing of theirs.

    ``seconds``: the limit for an answer, and for reading its media. ``frames``: taken from a
    video.
    """

    def __init__(
        self,
        reasoner: Reasoner,
        asker: Asker,
        examples: Sequence[Example],
        *,
        seconds: float = 120.0,
        frames: int = 16,
    ) -> None:
        self.examples = tuple(examples)
        #: Where visitors' files may lie; None: nowhere, and no file is opened.
        self.uploads: Uploads | None = None
        #: Called after each request of a page; its pictures are freed by then, or soon after.
        self.ended: Callable[[], None] = lambda: None
        self._reasoner = reasoner
        self._asker = asker
        self._seconds = seconds
        self._frames = frames

    def show(self, upload: str | None, chosen: int | None) -> PageView:
        """The picture before it is asked about."""
        try:
            seen = self._seen(upload, chosen)
            if seen is None:
                return PageView("", "", message(NOTHING))
            columns = Sheet(self._asker, seen).columns(AnswerPair())
        except PixelError as error:
            return PageView("", "", message(_of_the_visitor(error, upload), bad=True))
        finally:
            self.ended()
        return PageView(columns.looking, columns.plain, "")

    def ask(
        self, upload: str | None, chosen: int | None, question: str
    ) -> Generator[PageView, None, None]:
        """Yield each step as it is taken; at the end the right answer, if known."""
        try:
            deadline = Deadline.within(self._seconds)
            seen = self._seen(upload, chosen)
            if seen is None:
                yield PageView(None, None, message(NOTHING, bad=True))
                return
            example = self._asked_as_drawn(upload, chosen, question)
            truth = example.answer if example else ""
            sheet = Sheet(self._asker, seen)
            # An example needs no reading.
            left = self._seconds if upload is None else deadline.left or 0.001
            for pair in ask_both(self._reasoner, seen, question, seconds=left):
                columns = sheet.columns(pair, truth)
                notice = _told(example) if example and pair.over else ""
                yield PageView(columns.looking, columns.plain, message(notice))
        except PixelError as error:
            yield PageView(None, None, message(_of_the_visitor(error, upload), bad=True))
        finally:
            self.ended()

    def _seen(self, upload: str | None, chosen: int | None) -> Seen | None:
        if upload is not None:
            if self.uploads is None:
                raise MediaError(NOT_UPLOADED)
            path = self.uploads.path(upload)
            return self._reasoner.read(path, frames=self._frames, seconds=self._seconds)
        if chosen is not None and 0 <= chosen < len(self.examples):
            example = self.examples[chosen]
            return Seen(example.images, example.is_video)
        return None

    def _asked_as_drawn(
        self, upload: str | None, chosen: int | None, question: str
    ) -> Example | None:
        """The example if this is its own question: for another its answer would be wrong."""
        if upload is not None or chosen is None:
            return None
        example = self.examples[chosen]
        return example if question.strip() == example.question else None


def _told(example: Example) -> str:
    right = f"The right answer is {example.answer}."
    if example.legible:
        return right
    return f"{right} In what is shown at first it is hardly legible."


def _of_the_visitor(error: PixelError, upload: str | None) -> str:
    """The error in the visitor's terms: their file's name, without its path here."""
    text = str(error)
    return text if upload is None else text.replace(upload, Path(upload).name)
