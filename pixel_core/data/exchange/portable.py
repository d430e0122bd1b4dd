"""Trajectories as messages with paths: between our records and other people's files.

A file's plain format holds roles, texts and pictures. The rest of our records (masks, kind,
ids, split, answers, cue) travels beside it as one JSON text under ``EXTRA``, which other
readers ignore; a text, because tables of records want one type per column.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from pixel_core.nesting import loads
from pixel_core.records import Seed, Trajectory

#: The key of the data that the plain formats can't hold.
EXTRA = "pixel_reasoner"

_VERSION = 1
USER, ASSISTANT, SYSTEM = "user", "assistant", "system"


class ImportRefusal(StrEnum):
    """Reasons for not importing a record; each is counted."""

    NOT_A_RECORD = "not_a_record"  #: not an object of the format, or unreadable
    NO_CONVERSATION = "no_conversation"  #: no user turn with a picture, or no answer to it
    EXTRA_DIFFERS = "extra_differs"  #: the extra key does not fit the messages, or is damaged
    PICTURE_COUNT = "picture_count"  #: the numbers of placeholders and pictures differ
    PICTURE_PATH = "picture_path"  #: a path that is missing, or leads out of the folder
    PICTURE_DAMAGED = "picture_damaged"  #: unreadable as a picture, or too large
    PICTURE_SHAPE = "picture_shape"  #: sides over 200 : 1, which no model is shown
    PICTURE_CHANGED = "picture_changed"  #: not the file that was exported
    SEVERAL_CALLS = "several_calls"  #: more than one call in a turn
    BAD_CALL = "bad_call"  #: not an operation of ours under any of its names
    CALL_REFUSED = "call_refused"  #: an operation that can't be carried out
    REPLAY_DIFFERS = "replay_differs"  #: an executed operation shows other than the record says
    NO_ANSWER = "no_answer"  #: the last turn has no boxed answer, or calls
    NO_QUESTION = "no_question"
    REPEATED = "repeated"  #: the same trajectory again


class Rejected(Exception):
    """A record that can't be imported, with the reason and a detail."""

    def __init__(self, reason: ImportRefusal, found: str) -> None:
        super().__init__(f"{reason}: {found}")
        self.reason = reason
        self.found = found


@dataclass(frozen=True)
class Files:
    """Pictures in a message, or the frames of one video: paths from the file's folder."""

    paths: tuple[str, ...]
    video: bool = False


@dataclass(frozen=True)
class PortableMessage:
    role: str
    parts: tuple[str | Files, ...]

    @property
    def text(self) -> str:
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def files(self) -> tuple[Files, ...]:
        return tuple(part for part in self.parts if isinstance(part, Files))


@dataclass(frozen=True)
class PortableRecord:
    messages: tuple[PortableMessage, ...]
    #: The value under ``EXTRA``; "" in a record that is not ours.
    extra: str = ""

    def said(self) -> list[str]:
        """The assistant's turns."""
        return [message.text for message in self.messages if message.role == ASSISTANT]

    def returned(self) -> list[str]:
        """The message that followed each assistant turn; "" after an unanswered one."""
        found: list[str] = []
        for message in self.messages:
            if message.role == ASSISTANT:
                found.append("")
            elif found:
                found[-1] += message.text
        return found

    def asked(self) -> list[PortableMessage]:
        """The user's messages before the assistant's first."""
        found = []
        for message in self.messages:
            if message.role == ASSISTANT:
                break
            if message.role == USER:
                found.append(message)
        return found


def pack(trajectory: Trajectory, seed: Seed) -> str:
    """The value under ``EXTRA``, without the turns' texts: they are in the messages."""
    values = trajectory.model_dump(mode="json", exclude={"turns": {"__all__": {"text"}}})
    packed = {"version": _VERSION, "trajectory": values, "seed": seed.model_dump(mode="json")}
    return json.dumps(packed)


def unpack(extra: str, said: Sequence[str]) -> tuple[Trajectory, Seed]:
    """The records packed by ``pack``, with the messages' texts. Raises ``Rejected``."""
    try:
        values: Any = loads(extra)
    except ValueError as error:
        raise Rejected(ImportRefusal.EXTRA_DIFFERS, f"{EXTRA} is not JSON ({error})") from error
    try:
        if values["version"] != _VERSION:
            raise Rejected(
                ImportRefusal.EXTRA_DIFFERS, f"{EXTRA} has version {values['version']!r}"
            )
        turns = values["trajectory"]["turns"]
        if len(turns) != len(said):
            raise Rejected(
                ImportRefusal.EXTRA_DIFFERS,
                f"{len(said)} assistant turns, {EXTRA} has {len(turns)}",
            )
        told = [{**turn, "text": text} for turn, text in zip(turns, said, strict=True)]
        trajectory = Trajectory.model_validate({**values["trajectory"], "turns": told})
        seed = Seed.model_validate(values["seed"])
    except (KeyError, TypeError) as error:
        raise Rejected(ImportRefusal.EXTRA_DIFFERS, f"{EXTRA} lacks {error}") from error
    except ValidationError as error:
        raise Rejected(
            ImportRefusal.EXTRA_DIFFERS, f"{EXTRA}: {error.errors()[0]['msg']}"
        ) from error
    if trajectory.seed_id != seed.id:
        raise Rejected(
            ImportRefusal.EXTRA_DIFFERS, f"the trajectory is of {trajectory.seed_id!r}"
        )
    return trajectory, seed
