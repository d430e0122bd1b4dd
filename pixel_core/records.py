"""The records that stages exchange. Frozen, validated, one JSON object per line on disk.

Boxes are pixels of the ORIGINAL picture: x1, y1, x2, y2 with x1 < x2 and y1 < y2, the right
and lower edge exclusive. Indices are 0-based here; only the tool-call syntax that a model sees
counts from 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pixel_core.errors import DataError


class Record(BaseModel):
    """A frozen value; unknown fields are refused so that a stale reader fails loudly."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _nothing(value: object) -> bool:
    """Excludes a field while it is empty, so that records from before it keep their bytes."""
    return not value


class Split(StrEnum):
    """Train feeds synthesis and RL; validation selects; test is used for evaluation only."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class TrajectoryKind(StrEnum):
    """The paper's templates (section 4.1), the direct answer, and the model's own words."""

    DIRECT = "direct"
    SINGLE_PASS = "single_pass"
    RECROP_ONCE = "recrop_once"
    RECROP_TWICE = "recrop_twice"
    FURTHER_ZOOM = "further_zoom"
    RESELECT = "reselect"  #: of a video: wrong frames first
    TEXT_ONLY = "text_only"  #: rejection-sampled from the base model, not templated


class SecondLook(StrEnum):
    """Result of the second look: at the crop (or the frames) alone, and at the whole alone."""

    NEEDS_ZOOM = "needs_zoom"  #: the crop gives the answer, the downscaled whole does not
    EASY = "easy"  #: both do


class Box(Record):
    """Pixels of the original picture; x2 and y2 are exclusive."""

    x1: Annotated[int, Field(ge=0)]
    y1: Annotated[int, Field(ge=0)]
    x2: int
    y2: int

    @model_validator(mode="after")
    def _ordered(self) -> Box:
        if self.x1 >= self.x2 or self.y1 >= self.y2:
            raise ValueError(
                f"box {self.as_tuple()} is empty: it needs x1 < x2 and y1 < y2 in pixels"
            )
        return self

    def as_tuple(self) -> tuple[int, int, int, int]:
        return self.x1, self.y1, self.x2, self.y2

    def intersects(self, other: Box) -> bool:
        return not (
            self.x2 <= other.x1
            or other.x2 <= self.x1
            or self.y2 <= other.y1
            or other.y2 <= self.y1
        )

    def contains(self, other: Box) -> bool:
        return (
            self.x1 <= other.x1
            and self.y1 <= other.y1
            and self.x2 >= other.x2
            and self.y2 >= other.y2
        )

    @property
    def area(self) -> int:
        return (self.x2 - self.x1) * (self.y2 - self.y1)


class Picture(Record):
    """A picture in the ingest artifact's ``pictures.zip``."""

    member: str
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    sha256: str


class Cue(Record):
    """Where the evidence for the answer is: a box in one of the seed's pictures."""

    box: Box
    picture: Annotated[int, Field(ge=0)] = 0


class FrameCue(Record):
    """Which of a video's frames hold the evidence: 0-based, increasing."""

    frames: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _increasing(self) -> FrameCue:
        if any(first >= second for first, second in pairwise(self.frames)):
            raise ValueError(f"frames {self.frames} must increase, each named once")
        return self


class Provenance(Record):
    """Origin of a seed. Empty fields were not stated by the publisher."""

    #: The kind of source, with a name if there are several ("hub:TIGER-Lab/...").
    source: str
    revision: str = ""
    licence: str = ""
    #: sha256 of the record as found, media included.
    digest: str = ""


class Seed(Record):
    """A picture question before any reasoning was written for it.

    ``question`` and ``answers`` are empty together: an annotator is to write them.
    """

    id: str
    split: Split
    question: str
    answers: tuple[str, ...]
    choices: tuple[str, ...] = ()
    pictures: Annotated[tuple[Picture, ...], Field(min_length=1)]
    #: The pictures are a video's frames, in order.
    is_video: Annotated[bool, Field(exclude_if=_nothing)] = False
    #: A box in a picture, or a video's frames.
    cue: Cue | FrameCue | None = None
    #: What is looked for, as words in a sentence ("the red card"); "" when unknown.
    subject: str = ""
    #: The question's kind, the axis of ``by`` in the scores ("digit_small", "count").
    kind: str = ""
    #: Whether the answer can be read in the downscaled view; None if not checked.
    legible: bool | None = None
    provenance: Provenance

    @model_validator(mode="after")
    def _whole(self) -> Seed:
        if bool(self.question) != bool(self.answers):
            raise ValueError(
                f"seed {self.id} needs both a question and its answers, or neither"
            )
        if isinstance(self.cue, FrameCue) != self.is_video and self.cue is not None:
            raise ValueError(f"seed {self.id}: a video's cue is frames, a picture's is a box")
        return self

    @property
    def asks(self) -> bool:
        """Whether there is a question yet."""
        return bool(self.question)


class Annotation(Record):
    """A seed with its checked cue, and the cue's author."""

    seed: Seed
    #: None: the question is about the picture, or the video, as a whole.
    cue: Cue | FrameCue | None
    #: "source", or "openai:<model>@locate-1,look-1": the tasks asked, with their prompts'
    #: versions; "source+openai:..." if the cue is the source's and the texts are not.
    author: str
    #: The annotator's texts for the trajectory; "" leaves them to the templates.
    whole_view: str = ""
    local_view: str = ""
    #: None: there was no second look.
    look: Annotated[SecondLook | None, Field(exclude_if=_nothing)] = None


#: A half-open range of a text's characters (Unicode code points).
Span = tuple[Annotated[int, Field(ge=0)], int]


class Turn(Record):
    """One assistant turn of a trajectory; what the tool returns is replayed, never stored."""

    text: str
    #: Parts of the text that are shown to the model but not trained: designated wrong
    #: operations. In order, without overlap.
    untrained: Annotated[tuple[Span, ...], Field(exclude_if=_nothing)] = ()

    @model_validator(mode="after")
    def _inside(self) -> Turn:
        if not self.untrained:
            return self
        edges = [0, *(edge for span in self.untrained for edge in span), len(self.text)]
        ordered = all(first <= second for first, second in pairwise(edges))
        if not ordered or any(start == stop for start, stop in self.untrained):
            raise ValueError(
                f"untrained {self.untrained} of a text of {len(self.text)} characters: spans "
                "must be in order, without overlap, not empty, and inside the text"
            )
        return self

    @property
    def pieces(self) -> tuple[tuple[str, bool], ...]:
        """The text cut at its spans: (characters, whether they are trained)."""
        found, place = [], 0
        for start, stop in self.untrained:
            found += [(self.text[place:start], True), (self.text[start:stop], False)]
            place = stop
        found.append((self.text[place:], True))
        return tuple(piece for piece in found if piece[0])


class Trajectory(Record):
    """Assistant turns that answer one seed; tool results come from replaying the calls."""

    id: str
    seed_id: str
    kind: TrajectoryKind
    turns: Annotated[tuple[Turn, ...], Field(min_length=1)]


class Query(Record):
    """What an episode asks: no cue, and nothing to hide from the model but ``answers``."""

    id: str
    question: str
    pictures: Annotated[tuple[Picture, ...], Field(min_length=1)]
    #: The pictures are a video's frames, in order.
    is_video: Annotated[bool, Field(exclude_if=_nothing)] = False
    answers: Annotated[tuple[str, ...], Field(min_length=1)]
    choices: tuple[str, ...] = ()
    kind: str = ""

    @classmethod
    def from_seed(cls, seed: Seed) -> Query:
        return cls(
            id=seed.id,
            question=seed.question,
            pictures=seed.pictures,
            is_video=seed.is_video,
            answers=seed.answers,
            choices=seed.choices,
            kind=seed.kind,
        )


class StopReason(StrEnum):
    """Why an episode ended; each is counted in the metrics."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"  #: the turn ended with neither a call nor a boxed answer
    TRUNCATED = "truncated"  #: a turn hit the token limit; it is not trained as finished
    TOO_MANY_OPERATIONS = "too_many_operations"
    CONTEXT_FULL = "context_full"


class Step(Record):
    """One turn of an episode as it happened."""

    text: str
    #: The executed box in pixels of the original picture; None when nothing was executed.
    box: Box | None = None
    #: Index of the picture it was cropped from (0-based: the query's first, then crops).
    picture: int | None = None
    #: The video's frames that were selected and shown, 0-based, in the order asked for.
    frames: Annotated[tuple[int, ...], Field(exclude_if=_nothing)] = ()
    #: The call error's kind; "" when the call was executed or there was none.
    error: str = ""


class Rollout(Record):
    """One finished episode, without its tensors."""

    query_id: str
    sample: int
    steps: tuple[Step, ...]
    stop: StopReason
    answer: str
    correct: bool
    operations: int
    #: Those of the executed operations that selected frames; the others are zooms.
    selections: Annotated[int, Field(exclude_if=_nothing)] = 0
    failed_operations: int
    tokens: int


class Score(Record):
    """One row of the result table; ``low`` and ``high`` bound the 95 % interval."""

    benchmark: str
    model: str
    decoding: str
    n: int
    accuracy: float
    low: float
    high: float
    rapr: float
    op_error_rate: float
    by: dict[str, dict[str, float]]


R = TypeVar("R", bound=Record)


def write_jsonl(path: Path, records: Iterable[Record]) -> int:
    """Write one record per line; return their number. Streams: holds nothing."""
    count = 0
    with path.open("w", encoding="utf-8") as out:
        for record in records:
            out.write(record.model_dump_json() + "\n")
            count += 1
    return count


def read_jsonl(path: Path, kind: type[R]) -> Iterator[R]:
    """Yield records; an invalid line raises a ``DataError`` with its number."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield kind.model_validate_json(line)
            except ValidationError as error:
                raise DataError(
                    f"{path}, line {number}: not a {kind.__name__}: {error}"
                ) from error
