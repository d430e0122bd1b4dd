"""What is written around pictures, questions and tool returns, as tokens.

The turn format is Qwen2.5-VL's chat format; a tool's return is a user turn, as in the
original. Everything a question or an error brings in is untrusted: a special token's name
in it stays letters.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from pixel_core.config import DialogueConfig, FramesConfig
from pixel_core.records import Query
from pixel_core.rollout.tool_calls import SelectCall, opening_tokens, tool_schemas
from pixel_core.rollout.transcript import Transcript, Visual
from pixel_core.rollout.vocabulary import (
    TURN_END,
    TURN_START,
    VISION_END,
    VISION_START,
    Vocabulary,
)

#: How a refused call's return begins, as in the original.
ERROR_PREFIX = "Execution error: "


class Renderer:
    """Builds transcripts for one dialogue configuration and one vocabulary."""

    def __init__(self, dialogue: DialogueConfig, vocabulary: Vocabulary) -> None:
        self.dialogue = dialogue
        self.vocabulary = vocabulary
        #: Never sampled in an episode: what opens a call, where none can be made.
        self.banned = () if self.offered else opening_tokens(vocabulary)
        self._templates = Environment(
            loader=PackageLoader("pixel_core.rollout"),
            autoescape=False,
            undefined=StrictUndefined,
            keep_trailing_newline=False,
        )
        encode = vocabulary.encode
        self._user = encode(f"{TURN_START}user\n")
        self._assistant = encode(f"{TURN_END}\n{TURN_START}assistant\n")
        self._return = encode(f"\n{TURN_START}user\n")
        self._vision_start = encode(VISION_START)
        self._vision_end = encode(VISION_END)
        # By whether the question is a video: only then frames can be selected.
        self._head = {video: self._system(video) + self._user for video in (False, True)}
        self._guidelines = {video: self._guideline_tokens(video) for video in (False, True)}

    @property
    def offered(self) -> bool:
        """Whether there are operations to call."""
        return self.dialogue.operations == "offered"

    def around(self, video: bool) -> tuple[str, str]:
        """The texts before a question's pictures and after the question."""
        decode = self.vocabulary.decode
        after = [*self._guidelines[video], *self._assistant]
        return decode(self._head[video]), decode(after)

    def open(self, query: Query, visuals: Sequence[Visual]) -> Transcript:
        """Pictures, then the question, up to where the assistant speaks."""
        transcript = Transcript()
        transcript.append(self._head[query.is_video])
        if query.is_video and self.dialogue.prompt == "full":
            text = self._render("video", count=len(visuals))
            transcript.append(self.vocabulary.encode(text))
        for number, visual in enumerate(visuals, 1):
            if query.is_video:  # a call names frames by their numbers
                transcript.append(self.vocabulary.encode_plain(self._frame_name(number)))
            self.picture(transcript, visual)
        transcript.append(self.vocabulary.encode_plain(_question(query)))
        transcript.append(self._guidelines[query.is_video])
        transcript.append(self._assistant)
        return transcript

    def crop(self, transcript: Transcript, visual: Visual, index: int) -> None:
        """Append a crop as the return of the call just made; ``index`` counts from 1."""
        transcript.append(self._return)
        if self.dialogue.prompt == "full":
            text = self._render(
                "crop", width=visual.size[0], height=visual.size[1], index=index
            )
            transcript.append(self.vocabulary.encode(text))
        self.picture(transcript, visual)
        transcript.append(self._assistant)

    def selected(
        self, transcript: Transcript, call: SelectCall, visuals: Sequence[Visual], index: int
    ) -> None:
        """Append the frames of a call as its return; ``index``, from 1, is the first's."""
        transcript.append(self._return)
        if self.dialogue.prompt == "full":
            frames = [
                {
                    "number": number,
                    "index": at,
                    "width": visual.size[0],
                    "height": visual.size[1],
                }
                for at, (number, visual) in enumerate(
                    zip(call.frames, visuals, strict=True), index
                )
            ]
            transcript.append(self.vocabulary.encode(self._render("frames", frames=frames)))
        for visual in visuals:
            self.picture(transcript, visual)
        transcript.append(self._assistant)

    def frames_of(self, query: Query) -> FramesConfig | None:
        """The choice of frames as it is offered with this question; None if it is not."""
        return self._selection(query.is_video)

    def error(self, transcript: Transcript, message: str) -> None:
        """Append a refused call's message; the model may try again."""
        transcript.append(self._return)
        transcript.append(self.vocabulary.encode_plain(ERROR_PREFIX + message))
        transcript.append(self._assistant)

    def picture(self, transcript: Transcript, visual: Visual) -> None:
        """Append a picture between its vision tags."""
        transcript.append(self._vision_start)
        transcript.append_visual(visual, self.vocabulary.image)
        transcript.append(self._vision_end)

    def _frame_name(self, number: int) -> str:
        return f"\nFrame {number}: " if self.dialogue.prompt == "full" else f" {number}"

    def _system(self, video: bool) -> list[int]:
        if self.dialogue.prompt == "compact":
            return []
        if self.offered:
            schemas = tool_schemas(self.dialogue.zoom, self._selection(video))
            text = self._render("system", schema="\n".join(map(json.dumps, schemas)))
        else:
            text = self._render("system_alone")
        return self.vocabulary.encode(f"{TURN_START}system\n{text}{TURN_END}\n")

    def _guideline_tokens(self, video: bool) -> list[int]:
        if self.dialogue.prompt == "compact":
            return []
        if not self.offered:
            return self.vocabulary.encode(self._render("guidelines_alone"))
        frames = self._selection(video)
        text = self._render(
            "guidelines",
            name=self.dialogue.zoom.name,
            select=frames.name if frames else "",
            operations=self.dialogue.max_operations,
        )
        return self.vocabulary.encode(text)

    def _selection(self, video: bool) -> FramesConfig | None:
        frames = self.dialogue.frames
        return frames if video and frames.enabled and self.offered else None

    def _render(self, template: str, **values: object) -> str:
        return self._templates.get_template(f"{template}.jinja").render(**values)


def _question(query: Query) -> str:
    if not query.choices:
        return query.question
    lines = [f"({chr(ord('A') + i)}) {choice}" for i, choice in enumerate(query.choices)]
    return "\n".join([query.question, *lines])
