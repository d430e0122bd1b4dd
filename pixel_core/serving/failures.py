"""Engine breakdowns: caused by a question, or by the engine itself."""

from __future__ import annotations

from PIL import Image

from pixel_core.errors import EngineFailed, PixelError
from pixel_core.models.engines import AnsweringEngine
from pixel_core.rollout.renderer import Renderer
from pixel_core.serving.question import GREEDY, open_question

#: Consecutive breakdowns, each of a single episode, before the engine is probed.
_PATIENCE = 3


class EngineHealth:
    """Counts turns that broke down, and tells a broken engine from questions that break it.

    User input alone cannot prove the engine broken: one user could then shut it down for
    everybody. After several breakdowns in a row it gets a question of our own, which any
    working engine answers.
    """

    def __init__(self, engine: AnsweringEngine) -> None:
        self._engine = engine
        self._in_row = 0

    def went_well(self) -> None:
        self._in_row = 0

    def fatal(self, error: Exception, prompts: Renderer) -> str:
        """Why the engine is unusable after this error of one episode; "" if it still works.
        ``prompts``: of that episode."""
        self._in_row += 1
        if self._in_row < _PATIENCE:
            return ""
        if self._answers(prompts):
            self._in_row = 0
            return ""
        return (
            f"the engine broke down {self._in_row} times in a row ({error}), and over a plain "
            "question too: load the model again"
        )

    def _answers(self, prompts: Renderer) -> bool:
        """Whether the engine generates one greedy token about a grey picture."""
        image = Image.new("RGB", (112, 112), "grey")
        try:
            opening = open_question([image], "what is in the picture?", prompts.dialogue)
            transcript = prompts.open(opening.query, opening.visuals)
            self._engine.generate([transcript], GREEDY, 1)
        except Exception:  # noqa: BLE001 - whatever it is, the engine does not answer
            return False
        finally:
            self._engine.forget()
        return True


def failure(error: Exception) -> Exception:
    """The error as ``EngineFailed``; a ``PixelError`` is kept."""
    if isinstance(error, PixelError):
        return error
    failed = EngineFailed(
        f"the engine broke down over this question ({type(error).__name__}: {error}); ask "
        "again, or with smaller pictures"
    )
    failed.__cause__ = error
    return failed
