"""Scenes: the position of each card and its digit."""

from __future__ import annotations

import random
from dataclasses import dataclass

from pixel_core.config import WorldConfig
from pixel_core.errors import ConfigError
from pixel_core.records import Box

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 44, 44),
    "green": (38, 184, 64),
    "blue": (66, 112, 250),
    "yellow": (242, 224, 56),
    "purple": (166, 72, 196),
    "orange": (248, 142, 36),
    "cyan": (64, 216, 228),
    "pink": (255, 152, 202),
}
NAMES = tuple(COLOURS)
GLYPH_WIDTH, GLYPH_HEIGHT = 5, 7


@dataclass(frozen=True, slots=True)
class Card:
    """A card: its grid cell (raster order), its top left corner in pixels, its digit."""

    cell: int
    x: int
    y: int
    colour: str
    digit: str
    big: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """Cards on a grid, in the order they were drawn from the random stream."""

    cards: tuple[Card, ...]
    world: World


class World:
    """Draws scenes from a configuration. Raises ``ConfigError`` for one that can't be drawn."""

    def __init__(self, config: WorldConfig) -> None:
        self.config = config
        self.cell = config.side // config.grid
        self._check()

    def _check(self) -> None:
        config = self.config
        if config.side % config.grid:
            raise ConfigError(
                f"world.side {config.side} is not a multiple of world.grid {config.grid}"
            )
        if config.card + 2 * config.jitter > self.cell:
            raise ConfigError(
                f"world.card {config.card} with jitter {config.jitter} does not fit "
                f"a cell of {self.cell} pixels"
            )
        for glyph in (config.small_glyph, config.big_glyph):
            if glyph * GLYPH_HEIGHT + 2 * config.jitter > config.card:
                raise ConfigError(
                    f"a glyph of {glyph} pixels a dot with jitter {config.jitter} "
                    f"does not stay on a card of {config.card} pixels"
                )
        if not config.min_cards <= config.max_cards <= config.grid**2:
            raise ConfigError(
                f"world needs min_cards {config.min_cards} <= max_cards {config.max_cards} "
                f"<= {config.grid**2} cells"
            )

    def slot(self, cell: int) -> Box:
        """The box of a card of this cell before jitter; its glyph is always inside."""
        row, column = divmod(cell, self.config.grid)
        margin = (self.cell - self.config.card) // 2
        x, y = column * self.cell + margin, row * self.cell + margin
        return Box(x1=x, y1=y, x2=x + self.config.card, y2=y + self.config.card)

    def scene(
        self, rng: random.Random, min_cards: int | None = None, max_cards: int | None = None
    ) -> Scene:
        """A scene from the random stream; all colours in it differ."""
        config = self.config
        count = rng.randint(min_cards or config.min_cards, max_cards or config.max_cards)
        cells = rng.sample(range(config.grid**2), count)
        colours = rng.sample(NAMES, count)
        cards = []
        for cell, colour in zip(cells, colours, strict=True):
            slot = self.slot(cell)
            cards.append(
                Card(
                    cell=cell,
                    x=slot.x1 + rng.randint(-config.jitter, config.jitter),
                    y=slot.y1 + rng.randint(-config.jitter, config.jitter),
                    colour=colour,
                    digit=str(rng.randint(0, 9)),
                    big=rng.random() < config.big_share,
                )
            )
        return Scene(tuple(cards), self)
