"""Pretraining on clips: which frames show a card, and what is on it in a selected one."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from pixel_core.config import ClipConfig
from pixel_core.records import Picture, Query
from pixel_core.rollout.operations import ShownPicture, select, show
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.tool_calls import SelectCall, format_call
from pixel_core.rollout.transcript import Transcript, Visual
from pixel_core.tiny.clip import Clip, ClipWorld, ask_clip
from pixel_core.tiny.draw import draw
from pixel_core.tiny.questions import subject_of

INSTRUCTION = "list the cards"


@dataclass(frozen=True)
class ClipView:
    """A clip as shown. Its tasks share it, and so share one pass through the tower."""

    clip: Clip
    shown: tuple[ShownPicture, ...]
    visuals: tuple[Visual, ...]


class ClipLessons:
    """Items of the tasks in ``CLIP_TASKS``."""

    def __init__(self, prompts: Renderer, config: ClipConfig) -> None:
        self.prompts = prompts
        self.world = ClipWorld(config)

    def view(self, rng: random.Random) -> ClipView:
        clip = self.world.clip(rng)
        budget = self.prompts.dialogue.frames.frame
        shown = tuple(show(draw(scene), at, budget) for at, scene in enumerate(clip.scenes()))
        return ClipView(clip, shown, tuple(Visual(frame) for frame in shown))

    def item(self, task: str, view: ClipView, rng: random.Random) -> Transcript:
        return {
            "clip_pointing": self._pointing,
            "clip_reading": self._reading,
            "clip_grounding": self._grounding,
            "clip_answering": self._answering,
        }[task](view, rng)

    def _pointing(self, view: ClipView, rng: random.Random) -> Transcript:
        """The card is given, the frames are to be found."""
        encode = self.prompts.vocabulary.encode_plain
        transcript = self._open(INSTRUCTION, view)
        for visit in rng.sample(view.clip.visits, len(view.clip.visits)):
            transcript.append(encode(f" {subject_of(visit.card.colour)}"), 0.0)
            transcript.append(encode(f" {visit.first + 1}"), 1.0)
        return transcript

    def _reading(self, view: ClipView, rng: random.Random) -> Transcript:
        """One selected frame of each visit, and the digit on its card.

        Of each only one: what was read before would tell a second one's digit.
        """
        transcript = Transcript()
        scenes = view.clip.scenes()
        for visit in rng.sample(view.clip.visits, len(view.clip.visits)):
            alone = [at for at in visit.frames if len(scenes[at].cards) == 1]
            if alone:
                (visual,) = self._selected((rng.choice(alone),), view)
                self.prompts.picture(transcript, visual)
                digit = self.prompts.vocabulary.encode_plain(f" {visit.card.digit}")
                transcript.append(digit, 1.0)
        return transcript

    def _grounding(self, view: ClipView, rng: random.Random) -> Transcript:
        """The arguments of a call, without the call: the base model has never made one."""
        visit = rng.choice(view.clip.visits)
        subject = subject_of(visit.card.colour)
        numbers = [at + 1 for at in visit.frames]
        transcript = self._open(f"where is {subject}?", view)
        frames = json.dumps({"target_frames": numbers})
        self._say(transcript, f"focus on {subject} {numbers[0]} {frames}", 1.0)
        return transcript

    def _answering(self, view: ClipView, rng: random.Random) -> Transcript:
        """A call that is not trained, its frames, and the answer, which is."""
        question = ask_clip(view.clip, rng)
        transcript = self._open(question.question, view)
        numbers = tuple(at + 1 for at in question.frames)
        call = SelectCall(numbers)
        dialogue = self.prompts.dialogue
        written = format_call(call, dialogue.zoom, dialogue.frames)
        words = f"select frames on {question.subject} {numbers[0]} {written}"
        self._say(transcript, words, 0.0)
        visuals = self._selected(question.frames, view)
        self.prompts.selected(transcript, call, visuals, len(view.shown) + 1)
        self._say(transcript, f"the frames show \\boxed{{{question.answer}}}", 1.0)
        return transcript

    def _selected(self, frames: tuple[int, ...], view: ClipView) -> list[Visual]:
        call = SelectCall(tuple(at + 1 for at in frames))
        return [Visual(frame) for frame in select(call, view.shown, self.prompts.dialogue)]

    def _open(self, question: str, view: ClipView) -> Transcript:
        side = self.world.config.side
        picture = Picture(member="drawn", width=side, height=side, sha256="")
        query = Query(
            id="drawn",
            question=question,
            pictures=(picture,) * len(view.shown),
            is_video=True,
            answers=("-",),
        )
        return self.prompts.open(query, view.visuals)

    def _say(self, transcript: Transcript, text: str, weight: float) -> None:
        vocabulary = self.prompts.vocabulary
        transcript.append([*vocabulary.encode_plain(text), vocabulary.turn_end], weight)
