"""The best weights so far by validation score, kept with every checkpoint."""

from __future__ import annotations

from typing import Any

from pixel_core.workflow.parallel.team import WorkerGroup


class BestWeights:
    """Part of the checkpoint (``loop.Carried``), so that a killed run still has the weights
    that go with the score. Only the leader holds them: it writes the artifact."""

    def __init__(self, team: WorkerGroup, model: Any) -> None:
        self._team = team
        self._model = model
        self._weights: dict[str, Any] | None = None
        #: Steps done when they were taken; 0: nothing was scored yet.
        self.step = 0
        self.score = -1.0

    def offer(self, step: int, score: float) -> None:
        """The present weights, after ``step`` steps; of equal scores the earliest is kept."""
        if score > self.score:
            self.step, self.score = step, score
            if self._team.leads:
                self._weights = {
                    name: value.detach().clone()
                    for name, value in self._model.state_dict().items()
                }

    def restore(self) -> None:
        """Put the best weights into the leader's model."""
        if self._weights is not None:
            self._model.load_state_dict(self._weights)

    def state(self) -> dict[str, Any]:
        return {"step": self.step, "score": self.score, "weights": self._weights}

    def load(self, state: dict[str, Any]) -> None:
        self.step, self.score = state["step"], state["score"]
        self._weights = state["weights"] if self._team.leads else None
