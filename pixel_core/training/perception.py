"""Pretraining of the tiny model: perception tasks of the drawn world as transcripts.

The paper starts from a pretrained model; a model built from nothing must first learn to
see. After this stage it names cards, says where they are, reads large digits and zoomed
ones, and answers questions at once. It has never called an operation.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from PIL import Image

from pixel_core.config import BaseModelConfig, PerceptionPhase
from pixel_core.dialogue.calls import ZoomCall, format_call
from pixel_core.dialogue.prompts import Prompts
from pixel_core.dialogue.transcript import Transcript, Visual
from pixel_core.drawn import perception
from pixel_core.drawn.draw import draw
from pixel_core.drawn.questions import Question
from pixel_core.drawn.scene import Scene, World
from pixel_core.models.batch import collate
from pixel_core.models.logprobs import trained_logits
from pixel_core.records import Box, Picture, Query
from pixel_core.training.loop import Row
from pixel_core.vision.operations import ShownPicture, show, zoom


class PerceptionShard:
    """One shard of a pretraining step: draws its scenes, learns from them."""

    def __init__(
        self,
        model: object,
        prompts: Prompts,
        config: BaseModelConfig,
        phase: PerceptionPhase,
        stream: str,
    ) -> None:
        self.model = model
        self.prompts = prompts
        self.phase = phase
        self.world = World(config.world)
        self.shards = config.shards
        self.stream = stream

    def __call__(self, step: int, shard: int) -> Row:
        rng = random.Random(f"{self.stream}/{step}/{shard}")
        phase = self.phase
        row: Row = {"denominator": 1.0}
        for task, count in (
            ("listing", phase.listing),
            ("lookup", phase.lookup),
            ("reading", phase.reading),
            ("answering", phase.answering),
            ("crop_answering", phase.crop_answering),
        ):
            share = [item for item in range(count) if item % self.shards == shard]
            if share:
                row |= self._learn(task, [self._item(task, rng) for _ in share])
        return row

    def _learn(self, task: str, items: Sequence[Transcript]) -> Row:
        """Backward on the task's weighted token mean; loss and token accuracy."""
        vocabulary = self.prompts.vocabulary
        batch = collate(items, vocabulary.pad, vocabulary.image)
        logits, targets, chosen = trained_logits(self.model, batch, vocabulary.banned)
        weights = batch.weights_bt[:, 1:][chosen]
        losses = -logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]
        loss = (losses * weights).sum() / weights.sum()
        loss.backward()
        full = weights >= 1.0
        hits = (logits.argmax(-1) == targets)[full].float().mean()
        return {
            f"{task}_loss": float(loss.detach()),
            f"{task}_accuracy": float(hits),
        }

    def _item(self, task: str, rng: random.Random) -> Transcript:
        scene = self.world.scene(rng, self.phase.min_cards, self.phase.max_cards)
        if task == "answering":
            return self._answering(scene, rng)
        if task == "crop_answering":
            return self._crop_answering(scene, rng)
        shown = show(draw(scene), 0, self.prompts.dialogue.picture)
        scale = shown.size[0] / self.world.config.side
        if task == "reading":
            transcript = Transcript()
            parts = perception.reading(scene, rng)
        else:
            transcript = self._open(perception.INSTRUCTION, shown)
            parts = (
                perception.listing(scene, scale)
                if task == "listing"
                else perception.lookup(scene, rng, scale)
            )
        for part in parts:
            if isinstance(part, perception.Text):
                tokens = self.prompts.vocabulary.encode_plain(part.text)
                transcript.append(tokens, part.weight)
            else:
                self.prompts.picture(transcript, Visual(self._zoomed(shown, part.box)))
        return transcript

    def _answering(self, scene: Scene, rng: random.Random) -> Transcript:
        question = perception.question(scene, rng)
        transcript = self._open(question.question, _shown(scene, self.prompts))
        self._say(transcript, f"{_subject(question)} shows \\boxed{{{question.answer}}}", 1.0)
        return transcript

    def _crop_answering(self, scene: Scene, rng: random.Random) -> Transcript:
        """A call that is not trained, its crop, and the answer, which is."""
        question = perception.question(scene, rng, digits_only=True)
        assert question.cue is not None
        shown = _shown(scene, self.prompts)
        transcript = self._open(question.question, shown)
        call = self._call(shown, question.cue)
        text = f"zoom in on {question.subject} {format_call(call, self.prompts.dialogue.zoom)}"
        self._say(transcript, text, 0.0)
        self.prompts.crop(transcript, Visual(zoom(call, [shown], self.prompts.dialogue)), 2)
        self._say(transcript, f"the crop shows \\boxed{{{question.answer}}}", 1.0)
        return transcript

    def _open(self, question: str, shown: ShownPicture) -> Transcript:
        width, height = shown.image.size
        picture = Picture(member="drawn", width=width, height=height, sha256="")
        query = Query(id="drawn", question=question, pictures=(picture,), answers=("-",))
        return self.prompts.open(query, [Visual(shown)])

    def _say(self, transcript: Transcript, text: str, weight: float) -> None:
        vocabulary = self.prompts.vocabulary
        transcript.append([*vocabulary.encode_plain(text), vocabulary.turn_end], weight)

    def _zoomed(self, shown: ShownPicture, box: Box) -> ShownPicture:
        return zoom(self._call(shown, box), [shown], self.prompts.dialogue)

    def _call(self, shown: ShownPicture, box: Box) -> ZoomCall:
        """The call for a region given in pixels of the original."""
        if self.prompts.dialogue.zoom.coordinates == "pixel":
            spans: tuple[float, float] = shown.size
        else:
            spans = (1.0, 1.0)
        x, y = (span / side for span, side in zip(spans, shown.image.size, strict=True))
        x1, y1, x2, y2 = box.as_tuple()
        return ZoomCall(box=(x1 * x, y1 * y, x2 * x, y2 * y), target=1)


def _shown(scene: Scene, prompts: Prompts) -> ShownPicture:
    image: Image.Image = draw(scene)
    return show(image, 0, prompts.dialogue.picture)


def _subject(question: Question) -> str:
    return question.subject or "the picture"
