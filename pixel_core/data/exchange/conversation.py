"""A trajectory as a conversation of roles, texts and pictures, as the prompts render it.

The renderer builds tokens. With a vocabulary whose tokens are characters, the same replay that
training runs yields text instead, so there is no second renderer that could disagree with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pixel_core.config import DialogueConfig
from pixel_core.records import Trajectory, Turn
from pixel_core.rollout.episode import RenderedPrompt
from pixel_core.rollout.operations import ShownPicture
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.replay import replay_shown
from pixel_core.rollout.transcript import Visual
from pixel_core.rollout.vocabulary import (
    IMAGE,
    TURN_END,
    TURN_START,
    VIDEO,
    VISION_END,
    VISION_START,
    Vocabulary,
)

#: Ids above every character's code point.
_SPECIAL = {
    name: 0x110000 + number
    for number, name in enumerate(
        (TURN_START, TURN_END, VISION_START, VISION_END, IMAGE, VIDEO)
    )
}
_NAMES = re.compile("|".join(map(re.escape, _SPECIAL)))


class Characters(Vocabulary):
    """One token per character; a special token's name is one token in our own text, and its
    letters in any other text, as with a real tokenizer."""

    def __init__(self) -> None:
        super().__init__(
            tokenizer=None,
            pad=-1,
            turn_end=_SPECIAL[TURN_END],
            image=_SPECIAL[IMAGE],
            banned=(),
        )

    def encode(self, text: str) -> list[int]:
        tokens: list[int] = []
        place = 0
        for found in _NAMES.finditer(text):
            tokens += [*map(ord, text[place : found.start()]), _SPECIAL[found.group()]]
            place = found.end()
        return [*tokens, *map(ord, text[place:])]

    def encode_plain(self, text: str) -> list[int]:
        return list(map(ord, text))

    def decode(self, tokens: list[int]) -> str:
        return "".join(map(chr, tokens))


@dataclass(frozen=True)
class ConversationTurn:
    """``parts``: texts, and pictures by their index among all shown ones, from 0."""

    role: str
    parts: tuple[str | int, ...]


class _NamelessFrames(Renderer):
    """Shows a video's frames side by side, without a name before each."""

    def _frame_name(self, number: int) -> str:
        return ""


class Conversations:
    """Renders trajectories; one instance per dialogue configuration. ``frame_names``: whether
    each frame of a video comes with its name, as our models see it."""

    def __init__(self, dialogue: DialogueConfig, *, frame_names: bool = True) -> None:
        kind = Renderer if frame_names else _NamelessFrames
        self.prompts = kind(dialogue, Characters())

    def of(
        self, trajectory: Trajectory, opening: RenderedPrompt
    ) -> tuple[list[ConversationTurn], list[ShownPicture]]:
        """The messages, and the pictures they show. Raises ``DataError`` as ``replay`` does."""
        # The text does not need masks; without them no tokenizer has to align them.
        plain = trajectory.model_copy(
            update={"turns": tuple(Turn(text=turn.text) for turn in trajectory.turns)}
        )
        transcript, shown = replay_shown(plain, opening, self.prompts)
        return _messages(transcript.tokens, transcript.visuals), shown


def _messages(tokens: Sequence[int], visuals: Sequence[Visual]) -> list[ConversationTurn]:
    messages: list[ConversationTurn] = []
    start = 0
    shown = 0
    while start < len(tokens):
        assert tokens[start] == _SPECIAL[TURN_START]
        stop = tokens.index(_SPECIAL[TURN_END], start)
        parts, shown = _parts(tokens[start + 1 : stop], visuals, shown)
        head = parts[0] if parts and isinstance(parts[0], str) else ""
        role, _, rest = head.partition("\n")
        kept = ([rest] if rest else []) + parts[1:]
        messages.append(ConversationTurn(role, tuple(kept)))
        start = stop + 1
        if start < len(tokens) and tokens[start] == ord("\n"):  # between two turns
            start += 1
    return messages


def _parts(
    tokens: Sequence[int], visuals: Sequence[Visual], shown: int
) -> tuple[list[str | int], int]:
    """Texts and picture numbers; ``shown``: pictures before these, and with these."""
    parts: list[str | int] = []
    letters: list[str] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if token == _SPECIAL[VISION_START]:
            if letters:
                parts.append("".join(letters))
                letters = []
            parts.append(shown)
            place += 1 + visuals[shown].tokens  # its tags stand around its placeholders
            shown += 1
        else:
            letters.append(chr(token))
        place += 1
    if letters:
        parts.append("".join(letters))
    return parts, shown
