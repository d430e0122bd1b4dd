"""What was shown in answer to calls, for all rollouts of one question together.

Rollouts of a group often ask for the same: the same box of the same picture is then cut
once, its patches are one object, and one pass through the vision tower serves them all.
"""

from __future__ import annotations

from collections.abc import Sequence

from pixel_core.config import DialogueConfig
from pixel_core.rollout.operations import ShownPicture, select, zoom
from pixel_core.rollout.tool_calls import Call, SelectCall, ZoomCall
from pixel_core.rollout.transcript import Visual

Shot = tuple[ShownPicture, Visual]


class OperationsCache:
    """``frames``: the question's pictures as shown, from which frames are selected."""

    def __init__(self, frames: Sequence[ShownPicture], dialogue: DialogueConfig) -> None:
        self._frames = frames
        self._dialogue = dialogue
        #: By box and target. The target is kept, so that its id stays its own.
        self._crops: dict[tuple[tuple[float, ...], int], tuple[ShownPicture, Shot]] = {}
        self._selected: dict[int, Shot] = {}

    def carry_out(self, call: Call, shown: Sequence[ShownPicture]) -> list[Shot]:
        """What the call shows; ``shown``: all pictures of the rollout so far.

        Raises ``CallError`` for what ``vision.operations`` refuses.
        """
        if isinstance(call, SelectCall):
            return self._select(call)
        return [self._zoom(call, shown)]

    def _zoom(self, call: ZoomCall, shown: Sequence[ShownPicture]) -> Shot:
        known = 1 <= call.target <= len(shown)
        key = (call.box, id(shown[call.target - 1]) if known else 0)
        if key not in self._crops:
            crop = zoom(call, shown, self._dialogue)
            self._crops[key] = (shown[call.target - 1], (crop, Visual(crop)))
        return self._crops[key][1]

    def _select(self, call: SelectCall) -> list[Shot]:
        for number, frame in zip(
            call.frames, select(call, self._frames, self._dialogue), strict=True
        ):
            self._selected.setdefault(number, (frame, Visual(frame)))
        return [self._selected[number] for number in call.frames]
