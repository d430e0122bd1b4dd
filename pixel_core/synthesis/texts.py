"""The words of a trajectory's turns, from Jinja files with several variants each.

A style is a folder of ``templates/`` with one file for each part of a trajectory; in a
file, variants are separated by a line of three dashes. A template may use ``subject``,
``question``, ``call``, ``at`` (the box's corner as shown), ``answer``, ``boxed``,
``whole_view`` and ``local_view``.
"""

from __future__ import annotations

import random
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

#: The parts, in the order a trajectory can use them.
PARTS = ("first", "after_wrong", "after_too_large", "final", "direct")

_SEPARATOR = "\n---\n"


class Texts:
    """A style's templates, compiled."""

    def __init__(self, style: str) -> None:
        environment = Environment(undefined=StrictUndefined, autoescape=False)
        folder = files("pixel_core.synthesis").joinpath("templates", style)
        self._variants: dict[str, list[Template]] = {
            part: [
                environment.from_string(source.strip("\n"))
                for source in folder.joinpath(f"{part}.jinja")
                .read_text(encoding="utf-8")
                .split(_SEPARATOR)
            ]
            for part in PARTS
        }

    def write(self, part: str, values: dict[str, str], rng: random.Random) -> str:
        """A part's text in a variant drawn from the random stream."""
        return rng.choice(self._variants[part]).render(values)
