"""What an assistant's turn says: its text, and the call in it."""

from __future__ import annotations

from dataclasses import dataclass

from pixel_core.records import Query
from pixel_core.rollout.engine import Completion
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.tool_calls import OPEN, Call, CallError, CallErrorKind, parse_turn


@dataclass(frozen=True)
class Said:
    """``call``: None where there is none, or the turn was cut before its end."""

    text: str
    call: Call | CallError | None


class TurnReader:
    """Reads turns; what many rollouts say word for word is decoded and parsed once."""

    def __init__(self, prompts: Renderer) -> None:
        self._prompts = prompts
        self._read: dict[tuple[object, ...], Said] = {}

    def read(self, completion: Completion, query: Query) -> Said:
        key = (query.is_video, completion.finished, *completion.tokens)
        if key not in self._read:
            self._read[key] = self._fresh(completion, query)
        return self._read[key]

    def _fresh(self, completion: Completion, query: Query) -> Said:
        decode = self._prompts.vocabulary.decode
        if not completion.finished:
            return Said(decode(completion.tokens), None)
        text = decode(completion.tokens[:-1])
        if self._prompts.dialogue.operations == "none":
            return Said(text, _refused(text))
        zoom, frames = self._prompts.dialogue.zoom, self._prompts.frames_of(query)
        try:
            return Said(text, parse_turn(text, zoom, frames))
        except CallError as error:
            # Another one, never raised: a traceback holds every frame up to the caller's, and
            # so the pictures of all episodes of the batch, until garbage is collected.
            return Said(text, CallError(error.kind, error.message))


def _refused(text: str) -> CallError | None:
    """What to say to a call where none can be made; None for a turn without one. A closing tag
    alone is what is left where a call could not be opened: text like any other."""
    if OPEN not in text:
        return None
    return CallError(
        CallErrorKind.NOT_OFFERED,
        "there is no operation to call here: answer from what you see, within \\boxed{}",
    )
