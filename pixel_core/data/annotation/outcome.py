"""What can be wrong with an annotator's answers, and the outcome of a seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from pixel_core.data.annotation.requests import RequestTask
from pixel_core.models.endpoint.completion import Reply
from pixel_core.records import Annotation


class AnnotationFault(StrEnum):
    """Why an answer was retried, or a seed dropped; each is counted."""

    # An answer with one of these is retried; the last failure drops the seed.
    REFUSED = "refused"  #: the model, or its filter, would not answer
    TRUNCATED = "truncated"  #: cut by the token limit
    EMPTY = "empty"  #: neither a text nor a refusal
    NOT_JSON = "not_json"
    SCHEMA = "schema"  #: JSON, but not what was asked for
    PLACE = "place"  #: a box or frames that the picture or the video does not have
    NOT_SMALL = "not_small"  #: a proposed region that is too large a part of the photo
    TOO_SMALL = "too_small"  #: a box of a few pixels
    OPTIONS = "options"  #: not four different options
    MENTION = "mention"  #: words that refer to boxes or crops
    LEAK = "leak"  #: a text that gives the answer away before the closer look
    TEXT = "text"  #: an empty, overlong or structured text

    # These drop the seed at once.
    NOT_VALID = "not_valid"  #: the model finds no such evidence, or no question
    LOOK_FAILED = "look_failed"  #: looking again did not give the answer


#: Seeds dropped for these were answered properly and rejected on purpose.
REJECTED = frozenset({AnnotationFault.NOT_VALID, AnnotationFault.LOOK_FAILED})


class Unusable(Exception):
    """An answer that can't be used; the text tells the model why."""

    def __init__(self, reason: AnnotationFault, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class GaveUp(Exception):
    """The seed is given up. Raised and caught only inside a seed's procedure."""

    def __init__(self, reason: AnnotationFault) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class ReplyTally:
    """Counts of one seed that follow from the replies, whenever they were paid."""

    asks: Counter[RequestTask] = field(default_factory=Counter)
    asked_again: Counter[AnnotationFault] = field(default_factory=Counter)
    #: Boxes and frames that were reordered or clamped.
    repaired: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def count(self, task: RequestTask, reply: Reply) -> None:
        self.asks[task] += 1
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens

    def add(self, other: ReplyTally) -> None:
        self.asks += other.asks
        self.asked_again += other.asked_again
        self.repaired += other.repaired
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens


@dataclass(frozen=True)
class AnnotationOutcome:
    """The outcome of a seed: exactly one of ``annotation`` and ``dropped``."""

    #: The seed's kind of question, for the counts.
    kind: str
    annotation: Annotation | None
    dropped: AnnotationFault | None
    tally: ReplyTally
