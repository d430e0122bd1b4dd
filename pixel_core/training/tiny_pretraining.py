"""Pretraining of the tiny model: perception tasks of the drawn world as transcripts.

The paper starts from a pretrained model; a model built from nothing must first learn to
see. After this stage it names cards, says where they are, reads large digits and zoomed
ones, and answers questions at once. It has never called an operation.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pixel_core.config import CLIP_TASKS, PERCEPTION_TASKS, BaseModelConfig, PerceptionPhase
from pixel_core.models.batch import collate
from pixel_core.models.logprobs import logprobs_of, trained_logits
from pixel_core.records import Box, Picture, Query
from pixel_core.rollout.operations import ShownPicture, show, zoom
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.tool_calls import ZoomCall, format_call
from pixel_core.rollout.transcript import Transcript, Visual
from pixel_core.tiny import perception
from pixel_core.tiny.draw import draw
from pixel_core.tiny.questions import DrawnQuestion
from pixel_core.tiny.scene import Scene, World
from pixel_core.training.batching import by_length
from pixel_core.training.loop import Row
from pixel_core.training.tiny_clips import ClipLessons

TASKS = (*PERCEPTION_TASKS, *CLIP_TASKS)


@dataclass(frozen=True)
class SceneView:
    """A scene as shown. Its tasks share it, and so share one pass through the tower."""

    scene: Scene
    shown: ShownPicture
    visual: Visual


class PerceptionShard:
    """One shard of a pretraining step: draws its scenes, learns from them."""

    def __init__(
        self,
        model: object,
        prompts: Renderer,
        config: BaseModelConfig,
        phase: PerceptionPhase,
        stream: str,
    ) -> None:
        self.model = model
        self.prompts = prompts
        self.phase = phase
        self.world = World(config.world)
        self.clips = ClipLessons(prompts, config.clip)
        self.shards = config.shards
        self.stream = stream

    def __call__(self, step: int, shard: int) -> Row:
        items: list[tuple[str, Transcript]] = []
        for number, tasks in enumerate(self._agenda(self.phase.scenes, PERCEPTION_TASKS)):
            if number % self.shards == shard:
                rng = random.Random(f"{self.stream}/{step}/{number}")
                view = self._view(rng)
                items += [(task, self._item(task, view, rng)) for task in tasks]
        for number, tasks in enumerate(self._agenda(self.phase.clips, CLIP_TASKS)):
            if number % self.shards == shard:
                rng = random.Random(f"{self.stream}/{step}/clip/{number}")
                clip = self.clips.view(rng)
                items += [(task, self.clips.item(task, clip, rng)) for task in tasks]
        return {"denominator": 1.0} | self._learn(items)

    def _agenda(self, scenes: int, tasks: Sequence[str]) -> list[list[str]]:
        """The tasks of each scene: dealt out in turn, so that every scene has its share."""
        agenda: list[list[str]] = [[] for _ in range(scenes)]
        dealt = 0
        for task in tasks:
            for _ in range(getattr(self.phase, task)):
                agenda[dealt % scenes].append(task)
                dealt += 1
        return agenda

    def _learn(self, items: Sequence[tuple[str, Transcript]]) -> Row:
        """Backward on the sum of the tasks' weighted token means; their losses and hits.

        Tasks share batches of similar length: a small pass for each would cost far more.
        """
        vocabulary = self.prompts.vocabulary
        total_n = torch.zeros(len(TASKS))
        for task, transcript in items:
            total_n[TASKS.index(task)] += sum(transcript.weights)
        loss_n, hit_n = torch.zeros(len(TASKS)), torch.zeros(len(TASKS))
        for group in by_length(items, lambda item: len(item[1])):
            batch = collate([item for _, item in group], vocabulary.pad, vocabulary.image)
            logits, targets, chosen = trained_logits(self.model, batch, vocabulary.banned)
            loss_k = -logprobs_of(logits, targets)
            task_b = torch.tensor([TASKS.index(task) for task, _ in group])
            task_k = task_b[:, None].expand(chosen.shape)[chosen]
            share_k = batch.weights_bt[:, 1:][chosen] / total_n[task_k]
            (loss_k * share_k).sum().backward()
            loss_n.index_add_(0, task_k, loss_k.detach() * share_k)
            hit_n.index_add_(0, task_k, (logits.argmax(-1) == targets) * share_k)
        row: Row = {}
        for number, task in enumerate(TASKS):
            if total_n[number]:
                row[f"{task}_loss"] = float(loss_n[number])
                row[f"{task}_accuracy"] = float(hit_n[number])
        return row

    def _view(self, rng: random.Random) -> SceneView:
        scene = self.world.scene(rng, self.phase.min_cards, self.phase.max_cards)
        shown = show(draw(scene), 0, self.prompts.dialogue.picture)
        return SceneView(scene, shown, Visual(shown))

    def _item(self, task: str, view: SceneView, rng: random.Random) -> Transcript:
        if task == "answering":
            return self._answering(view, rng)
        if task == "crop_answering":
            return self._crop_answering(view, rng)
        if task == "reading":
            return self._reading(view, rng)
        if task == "grounding":
            return self._grounding(view, rng)
        scale = view.shown.size[0] / self.world.config.side
        transcript = self._open(perception.INSTRUCTION, view)
        parts = (
            perception.listing(view.scene, scale)
            if task == "listing"
            else perception.pointing(view.scene, rng, scale)
        )
        for text, weight in parts:
            transcript.append(self.prompts.vocabulary.encode_plain(text), weight)
        return transcript

    def _reading(self, view: SceneView, rng: random.Random) -> Transcript:
        transcript = Transcript()
        for box, digit in perception.reading(view.scene, rng):
            self.prompts.picture(transcript, Visual(self._zoomed(view, box)))
            transcript.append(self.prompts.vocabulary.encode_plain(digit), 1.0)
        return transcript

    def _grounding(self, view: SceneView, rng: random.Random) -> Transcript:
        subject, box = perception.grounding(view.scene, rng)
        call = self._call(view.shown, box)
        transcript = self._open(f"where is {subject}?", view)
        # The arguments of a call, without the call: the base model has never made one.
        corners = json.dumps({"bbox_2d": [round(value) for value in call.box]})
        point = perception.point(subject, call.box[0], call.box[1])
        self._say(transcript, f"focus on {point} {corners}", 1.0)
        return transcript

    def _answering(self, view: SceneView, rng: random.Random) -> Transcript:
        question = perception.question(view.scene, rng)
        transcript = self._open(question.question, view)
        place = "the picture"
        if question.cue is not None:
            place = self._point(question, self._call(view.shown, question.cue))
        answer = question.answer
        self._say(transcript, f"focus on {place} {answer} \\boxed{{{answer}}}", 1.0)
        return transcript

    def _crop_answering(self, view: SceneView, rng: random.Random) -> Transcript:
        """A call that is not trained, its crop, and the answer, which is."""
        question = perception.question(view.scene, rng, digits_only=True)
        assert question.cue is not None
        transcript = self._open(question.question, view)
        call = self._call(view.shown, question.cue)
        written = format_call(call, self.prompts.dialogue.zoom)
        self._say(transcript, f"zoom in on {self._point(question, call)} {written}", 0.0)
        self.prompts.crop(transcript, Visual(self._zoomed(view, question.cue)), 2)
        self._say(transcript, f"the crop shows \\boxed{{{question.answer}}}", 1.0)
        return transcript

    def _point(self, question: DrawnQuestion, call: ZoomCall) -> str:
        return perception.point(question.subject, call.box[0], call.box[1])

    def _open(self, question: str, view: SceneView) -> Transcript:
        width, height = view.shown.image.size
        picture = Picture(member="drawn", width=width, height=height, sha256="")
        query = Query(id="drawn", question=question, pictures=(picture,), answers=("-",))
        return self.prompts.open(query, [view.visual])

    def _say(self, transcript: Transcript, text: str, weight: float) -> None:
        vocabulary = self.prompts.vocabulary
        transcript.append([*vocabulary.encode_plain(text), vocabulary.turn_end], weight)

    def _zoomed(self, view: SceneView, box: Box) -> ShownPicture:
        return zoom(self._call(view.shown, box), [view.shown], self.prompts.dialogue)

    def _call(self, shown: ShownPicture, box: Box) -> ZoomCall:
        """The call for a region given in pixels of the original."""
        if self.prompts.dialogue.zoom.coordinates == "pixel":
            spans: tuple[float, float] = shown.size
        else:
            spans = (1.0, 1.0)
        x, y = (span / side for span, side in zip(spans, shown.image.size, strict=True))
        x1, y1, x2, y2 = box.as_tuple()
        return ZoomCall(box=(x1 * x, y1 * y, x2 * x, y2 * y), target=1)
