"""Drawn videos: cards come and go, and their digits can't be read in a small frame.

A clip has one scene per frame. Each card stays for a few frames in one place; colours differ,
so that a question refers to exactly one visit.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pixel_core.config import ClipConfig, WorldConfig
from pixel_core.errors import ConfigError
from pixel_core.tiny.questions import subject_of
from pixel_core.tiny.scene import NAMES, Card, Scene, World

KIND = "clip_digit"

_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class Visit:
    """A card and the frames that show it: ``first`` up to, not including, ``stop``."""

    card: Card
    first: int
    stop: int

    @property
    def frames(self) -> tuple[int, ...]:
        return tuple(range(self.first, self.stop))


@dataclass(frozen=True, slots=True)
class Clip:
    """The events of a video, in the order the visits were drawn."""

    visits: tuple[Visit, ...]
    frames: int
    world: World

    def scenes(self) -> list[Scene]:
        """One scene per frame."""
        return [
            Scene(tuple(v.card for v in self.visits if v.first <= at < v.stop), self.world)
            for at in range(self.frames)
        ]


@dataclass(frozen=True, slots=True)
class ClipQuestion:
    """A question on one visit; ``frames`` are those that show it."""

    question: str
    answer: str
    subject: str
    frames: tuple[int, ...]


class ClipWorld:
    """Draws clips. Raises ``ConfigError`` for settings that can't be drawn."""

    def __init__(self, config: ClipConfig) -> None:
        self.config = config
        self.world = World(
            WorldConfig(
                side=config.side,
                grid=config.grid,
                card=config.card,
                jitter=config.jitter,
                min_cards=1,
                max_cards=1,
                small_glyph=config.glyph,
                big_glyph=config.glyph,
            )
        )

    def clip(self, rng: random.Random) -> Clip:
        """A clip from the random stream; no two visits share a colour, or a place at once."""
        config = self.config
        colours = rng.sample(NAMES, config.visits)
        for _ in range(_ATTEMPTS):
            visits = tuple(self._visit(rng, colour) for colour in colours)
            if not _collide(visits):
                return Clip(visits, config.frames, self.world)
        raise ConfigError(
            f"no clip of {config.frames} frames has room for {config.visits} visits of up to "
            f"{config.longest} frames on {config.grid**2} places; ask for fewer visits"
        )

    def _visit(self, rng: random.Random, colour: str) -> Visit:
        stay = rng.randint(1, self.config.longest)
        first = rng.randint(0, self.config.frames - stay)
        (card,) = self.world.scene(rng).cards
        return Visit(replace(card, colour=colour, big=False), first, first + stay)


def ask_clip(clip: Clip, rng: random.Random) -> ClipQuestion:
    """A question on a visit drawn from the random stream."""
    return about(rng.choice(clip.visits))


def about(visit: Visit) -> ClipQuestion:
    subject = subject_of(visit.card.colour)
    return ClipQuestion(
        f"which digit is on {subject}?", visit.card.digit, subject, visit.frames
    )


def with_clip_digit(
    clip: Clip, question: ClipQuestion, digit: str
) -> tuple[Clip, ClipQuestion]:
    """The same clip and question with ``digit`` as the answer; all digits shift equally."""
    shift = int(digit) - int(question.answer)
    visits = tuple(
        replace(v, card=replace(v.card, digit=str((int(v.card.digit) + shift) % 10)))
        for v in clip.visits
    )
    return replace(clip, visits=visits), replace(question, answer=digit)


def _collide(visits: Sequence[Visit]) -> bool:
    return any(
        one.card.cell == other.card.cell and one.first < other.stop and other.first < one.stop
        for number, one in enumerate(visits)
        for other in visits[:number]
    )
