"""Our dialogue in TRL's terms: a processor, an environment with the zoom, and a count.

The format is identical token for token; the peer aborts where it is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image
from transformers import (
    PreTrainedTokenizerBase,
    ProcessorMixin,
    Qwen2VLImageProcessorPil,
)

from bench.trl.job import Job, Work
from pixel_core.config import DialogueConfig
from pixel_core.media.archive import PictureArchive
from pixel_core.rollout.operations import ShownPicture, show, zoom
from pixel_core.rollout.tool_calls import CallError, ZoomCall

_TEMPLATE = Path(__file__).with_name("template.jinja")

#: How to parse a turn: the call's JSON between its tags, the rest is text.
_RESPONSE = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "tool_calls": {
            "open": "<tool_call>",
            "close_pattern": r"</tool_call>\s*",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"close_pattern": r"<\|im_end\|>\s*", "content": "text"},
    },
}


class PictureProcessor(ProcessorMixin):
    """Qwen2.5-VL's processor without its video half, which needs torchvision to load."""

    return_mm_token_type_ids = True
    images_kwargs: ClassVar = {"return_tensors": "pt"}

    def __init__(
        self,
        image_processor: Qwen2VLImageProcessorPil,
        tokenizer: PreTrainedTokenizerBase,
        chat_template: str | None = None,
    ) -> None:
        self.image_token = "<|image_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def replace_image_token(self, image_inputs: dict, image_idx: int, **_: Any) -> str:
        grid = image_inputs["image_grid_thw"][image_idx]
        return self.image_token * int(grid.prod() // self.image_processor.merge_size**2)


@dataclass(frozen=True)
class Opened:
    """A question with its picture, decoded once: at full size and as shown."""

    question: str
    picture: ShownPicture
    view: Image.Image


def processor_of(
    tokenizer: PreTrainedTokenizerBase, dialogue: DialogueConfig
) -> PictureProcessor:
    tokenizer.response_template = _RESPONSE
    # Pictures and crops come at their final size, which lies between the two budgets.
    budgets = dialogue.picture, dialogue.crop
    images = Qwen2VLImageProcessorPil(
        size={
            "shortest_edge": min(budget.min_pixels for budget in budgets),
            "longest_edge": max(budget.max_pixels for budget in budgets),
        }
    )
    return PictureProcessor(images, tokenizer, _TEMPLATE.read_text(encoding="utf-8"))


def open_all(job: Job) -> dict[str, Opened]:
    """The job's questions by id."""
    archive = PictureArchive(Path(job.ingest) / "pictures.zip")
    openings = {}
    for query in job.queries:
        (picture,) = query.pictures
        shown = show(archive.load(picture), 0, job.dialogue.picture)
        openings[query.id] = Opened(query.question, shown, view(shown))
    return openings


def environment_of(openings: Mapping[str, Opened], dialogue: DialogueConfig) -> type:
    """The class of TRL's environments."""

    class Zooming:
        """One rollout's pictures. TRL offers its public methods as tools."""

        def __init__(self) -> None:
            self.shown: list[ShownPicture] = []
            self.attempts = 0
            self.executed = 0

        def reset(self, query_id: str, **_: Any) -> None:
            self.shown = [openings[query_id].picture]
            self.attempts = self.executed = 0

        def zoom_in(self, bbox_2d: list[int], target_image: int) -> list[dict[str, Any]]:
            """Cut a region out of a picture and see it larger.

            Args:
                bbox_2d: The region [x1, y1, x2, y2] in pixels of that picture as shown.
                target_image: Which picture, counted from 1.
            """
            self.attempts += 1
            try:
                x1, y1, x2, y2 = bbox_2d
                crop = zoom(ZoomCall((x1, y1, x2, y2), target_image), self.shown, dialogue)
            except CallError as error:
                return [{"type": "text", "text": f"Execution error: {error.message}"}]
            self.executed += 1
            self.shown.append(crop)
            return [{"type": "image", "image": view(crop)}]

    return Zooming


def view(shown: ShownPicture) -> Image.Image:
    return shown.image.resize(shown.size, Image.Resampling.BICUBIC)


def count(
    completion: Sequence[int], turn_end: int, header: Sequence[int], picture: int
) -> Work:
    """Classify a rollout by its tokens, starting with the sampled first turn.

    A return stands between a turn's end and the next assistant header (whose first token is
    never sampled); ``picture`` is the token of a picture in it.
    """
    tokens, header = list(completion), list(header)
    sampled, pictured, start = 0, False, 0
    while True:
        try:
            end = tokens.index(turn_end, start) + 1
        except ValueError:
            end = len(tokens)
        sampled += end - start
        place = next(
            (at for at in range(end, len(tokens)) if tokens[at : at + len(header)] == header),
            None,
        )
        if place is None:
            return Work(1, int(pictured), sampled)
        start = place + len(header)
        pictured = pictured or (picture in tokens[end:place] and start < len(tokens))
