"""A question whose episode is under way."""

from __future__ import annotations

from dataclasses import dataclass, field

from pixel_core.config import SamplingConfig
from pixel_core.models.engine import stream_seed
from pixel_core.rollout.episode import Episode
from pixel_core.rollout.renderer import Renderer
from pixel_core.serving.answer import AnswerStep
from pixel_core.serving.question import Question
from pixel_core.serving.request_handle import RequestHandle


@dataclass(eq=False)
class Running:
    """An episode that was let in."""

    ticket: RequestHandle
    question: Question
    episode: Episode
    prompts: Renderer
    steps: list[AnswerStep] = field(default_factory=list)

    @property
    def batch(self) -> tuple[SamplingConfig, int, tuple[int, ...]]:
        """Equal for episodes that can be generated together."""
        dialogue = self.question.dialogue
        return self.question.sampling, dialogue.max_new_tokens, self.prompts.banned

    @property
    def draw(self) -> int:
        """What the next turn is drawn from: of this question alone."""
        return stream_seed("ask", self.question.seed, len(self.steps))
