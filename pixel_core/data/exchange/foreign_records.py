"""Converts a conversation without our extra key, as the original published them.

What the conversation does not state is inferred: the answer is the last turn's box, the kind
follows from the operations and where they look, and every operation but the last was a
mistake (the paper's templates): its call is shown and not trained. The last operation is the
cue. Operations are executed as in an episode, so that the import can be trained, and their
results are compared with what the record says they showed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from pixel_core.config import DialogueConfig
from pixel_core.data.exchange.conversation import Characters
from pixel_core.data.exchange.foreign_calls import (
    ForeignCall,
    around,
    find_call,
    our_call,
    written,
)
from pixel_core.data.exchange.portable import ImportRefusal, PortableRecord, Rejected
from pixel_core.data.exchange.told_results import check_frames, check_zoom
from pixel_core.errors import MediaError
from pixel_core.records import (
    Box,
    Cue,
    FrameCue,
    Picture,
    Provenance,
    Query,
    Seed,
    Split,
    Trajectory,
    TrajectoryKind,
    Turn,
)
from pixel_core.rewards.grading import extract_boxed
from pixel_core.rollout.episode import RenderedPrompt
from pixel_core.rollout.operations import ShownPicture
from pixel_core.rollout.operations_cache import OperationsCache
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.tool_calls import Call, CallError, SelectCall

#: The guidelines that the original appends to a question. Our prompts contain them too.
_GUIDELINES = re.compile(r"\n+\s*Guidelines:.*\Z", re.DOTALL)

SOURCE = "imported"


@dataclass(frozen=True)
class QuestionMedia:
    """A question's pictures: their records and their pixels."""

    pictures: tuple[Picture, ...]
    images: tuple[Image.Image, ...]
    video: bool


@dataclass(frozen=True)
class _Operation:
    """An executed operation. ``box``: the box of the call, in pixels of the original."""

    call: Call
    box: Box | None = None
    picture: int = 0


class ForeignRecords:
    """Builds trajectories for one dialogue configuration."""

    def __init__(self, dialogue: DialogueConfig) -> None:
        self._dialogue = dialogue
        self._prompts = Renderer(dialogue, Characters())

    def trajectory(
        self, record: PortableRecord, media: QuestionMedia
    ) -> tuple[Trajectory, Seed]:
        """Raises ``Rejected``."""
        question = _GUIDELINES.sub("", "".join(m.text for m in record.asked())).strip()
        if not question:
            raise Rejected(ImportRefusal.NO_QUESTION, "the user's turn has no text")
        said = record.said()
        answer = extract_boxed(said[-1])
        if not answer:
            raise Rejected(ImportRefusal.NO_ANSWER, f"no \\boxed{{}} in {said[-1][-80:]!r}")
        seed = _seed(question, answer, media)
        turns, operations = self._replayed(said, record.returned(), seed, media)
        kind = _kind(operations)
        words = hashlib.sha256("\0".join(turn.text for turn in turns).encode()).hexdigest()
        trajectory = Trajectory(
            id=f"{seed.id}:{kind}:{words[:8]}", seed_id=seed.id, kind=kind, turns=tuple(turns)
        )
        cue = _cue(operations[-1], media.video) if operations else None
        return trajectory, seed.model_copy(update={"cue": cue})

    def _replayed(
        self, said: Sequence[str], returned: Sequence[str], seed: Seed, media: QuestionMedia
    ) -> tuple[list[Turn], list[_Operation]]:
        try:
            opening = RenderedPrompt.of(Query.from_seed(seed), media.images, self._prompts)
        except MediaError as error:
            raise Rejected(ImportRefusal.PICTURE_SHAPE, str(error)) from error
        shown = list(opening.shown)
        op_cache = OperationsCache(opening.shown, self._dialogue)
        turns: list[Turn] = []
        operations: list[_Operation] = []
        for number, text in enumerate(said):
            found = find_call(text)
            last = number == len(said) - 1
            if (found is None) != last:
                what = "the last turn calls" if last else f"turn {number + 1} has no call"
                raise Rejected(
                    ImportRefusal.NO_ANSWER if last else ImportRefusal.BAD_CALL, what
                )
            if found is None:
                turns.append(Turn(text=text))
                break
            frames = len(opening.shown) if media.video else 0
            theirs = our_call(found.group(1), shown, frames, self._dialogue)
            ours = written(theirs.call, media.video, self._dialogue)
            try:
                shots = [picture for picture, _ in op_cache.carry_out(theirs.call, shown)]
            except CallError as error:
                raise Rejected(ImportRefusal.CALL_REFUSED, str(error)) from error
            operations.append(_operation(theirs, shown))
            self._check(returned[number], theirs, shown, shots)
            shown += shots
            start = found.start()
            mistake = number < len(said) - 2
            turns.append(
                Turn(
                    text=text[:start] + ours + text[found.end() :],
                    untrained=((start, start + len(ours)),) if mistake else (),
                )
            )
        return turns, operations

    def _check(
        self,
        told: str,
        theirs: ForeignCall,
        shown: Sequence[ShownPicture],
        shots: Sequence[ShownPicture],
    ) -> None:
        """Raise ``Rejected`` if what the record says of a result does not match."""
        if theirs.parts is None:
            check_frames(told, shots, self._dialogue)
        else:
            assert not isinstance(theirs.call, SelectCall)
            target = shown[theirs.call.target - 1]
            check_zoom(told, theirs.parts, target, self._dialogue)


def _seed(question: str, answer: str, media: QuestionMedia) -> Seed:
    digest = hashlib.sha256("\0".join([p.sha256 for p in media.pictures]).encode())
    digest.update(b"\0" + question.encode() + b"\0" + answer.encode())
    return Seed(
        id=f"{SOURCE}-{digest.hexdigest()[:16]}",
        split=Split.TRAIN,
        question=question,
        answers=(answer,),
        pictures=media.pictures,
        is_video=media.video,
        provenance=Provenance(source=SOURCE, digest=digest.hexdigest()),
    )


def _operation(theirs: ForeignCall, shown: Sequence[ShownPicture]) -> _Operation:
    call = theirs.call
    if isinstance(call, SelectCall) or theirs.parts is None:
        return _Operation(call)
    target = shown[call.target - 1]
    width, height = target.image.size
    x1, y1, x2, y2 = theirs.parts
    (left, right), (top, bottom) = around(x1, x2, width), around(y1, y2, height)
    origin = target.region
    box = Box(
        x1=origin.x1 + left, y1=origin.y1 + top, x2=origin.x1 + right, y2=origin.y1 + bottom
    )
    return _Operation(call, box, target.picture)


def _kind(operations: Sequence[_Operation]) -> TrajectoryKind:
    if not operations:
        return TrajectoryKind.TEXT_ONLY
    if len(operations) == 1:
        return TrajectoryKind.SINGLE_PASS
    first, last = operations[0], operations[-1]
    if isinstance(last.call, SelectCall) or isinstance(first.call, SelectCall):
        return TrajectoryKind.RESELECT
    assert first.box is not None
    assert last.box is not None
    if first.picture == last.picture and first.box.contains(last.box):
        return TrajectoryKind.FURTHER_ZOOM
    return TrajectoryKind.RECROP_ONCE if len(operations) == 2 else TrajectoryKind.RECROP_TWICE


def _cue(operation: _Operation, video: bool) -> Cue | FrameCue:
    if isinstance(operation.call, SelectCall):
        return FrameCue(frames=tuple(sorted(frame - 1 for frame in operation.call.frames)))
    if video:  # its cue must be frames: the one that was zoomed into
        return FrameCue(frames=(operation.picture,))
    assert operation.box is not None
    return Cue(box=operation.box, picture=operation.picture)
