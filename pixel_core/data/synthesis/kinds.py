"""Which kind of trajectory a seed gets."""

from __future__ import annotations

import random

from pixel_core.config import DialogueConfig, KindShares, VideoKindShares
from pixel_core.records import TrajectoryKind

#: Operations of each kind's trajectories; all but the last are wrong.
OPERATIONS = {
    TrajectoryKind.DIRECT: 0,
    TrajectoryKind.SINGLE_PASS: 1,
    TrajectoryKind.RECROP_ONCE: 2,
    TrajectoryKind.RECROP_TWICE: 3,
    TrajectoryKind.FURTHER_ZOOM: 2,
    TrajectoryKind.RESELECT: 2,
}

#: The fallback of a kind that is impossible: the picture has no room for its wrong boxes,
#: the video has no other frames, or the dialogue allows too few operations.
INSTEAD = {
    TrajectoryKind.RECROP_TWICE: TrajectoryKind.RECROP_ONCE,
    TrajectoryKind.RECROP_ONCE: TrajectoryKind.SINGLE_PASS,
    TrajectoryKind.FURTHER_ZOOM: TrajectoryKind.SINGLE_PASS,
    TrajectoryKind.RESELECT: TrajectoryKind.SINGLE_PASS,
    TrajectoryKind.SINGLE_PASS: TrajectoryKind.DIRECT,
}


class KindPicker:
    """Draws kinds by weight."""

    def __init__(self, shares: KindShares | VideoKindShares) -> None:
        self._kinds = [TrajectoryKind(name) for name in type(shares).model_fields]
        self._weights = [getattr(shares, kind.value) for kind in self._kinds]

    def pick(self, rng: random.Random) -> TrajectoryKind:
        return rng.choices(self._kinds, self._weights)[0]


def allowed(kind: TrajectoryKind, dialogue: DialogueConfig) -> bool:
    """Whether the dialogue allows the kind's operations."""
    return OPERATIONS[kind] <= dialogue.max_operations
