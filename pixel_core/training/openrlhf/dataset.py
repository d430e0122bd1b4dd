"""Our queries as OpenRLHF's prompt datasets: a JSON object a line.

A line's ``label`` is the whole query, as JSON, which is all that reaches the agent of it:
the prompt is only what OpenRLHF's log shows. The agent opens the pictures itself, from the
archive, where their digests are checked; so no ``images`` are listed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pixel_core.config import DialogueConfig
from pixel_core.errors import ConfigError
from pixel_core.media.budget import fit
from pixel_core.records import Box, Query
from pixel_core.rollout.operations import ShownPicture
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.transcript import Visual
from pixel_core.training.batching import Order


@dataclass(frozen=True)
class Fitting:
    """The queries that leave room for a turn, and how many were left out.

    An episode without a turn teaches nothing. Our own trainer counts it; OpenRLHF would cut
    its prompt through a picture.
    """

    queries: list[Query]
    left_out: int

    @classmethod
    def of(cls, queries: Sequence[Query], prompts: Renderer) -> Fitting:
        """``ConfigError`` when none fits."""
        fitting = [query for query in queries if _fits(query, prompts)]
        if not fitting:
            raise ConfigError(
                f"none of {len(queries)} questions leaves room for an answer: raise "
                "dialogue.max_tokens or dialogue.max_pictures, or lower dialogue.picture, "
                "dialogue.frames.frame or dialogue.max_new_tokens"
            )
        return cls(fitting, len(queries) - len(fitting))


def write_prompts(path: Path, queries: Iterable[Query]) -> int:
    """Write one line a query; return how many."""
    count = 0
    with path.open("w", encoding="utf-8") as lines:
        for query in queries:
            line = {
                "prompt": f"{query.id}: {query.question}",
                "label": query.model_dump_json(),
                "datasource": "default",
            }
            lines.write(json.dumps(line) + "\n")
            count += 1
    return count


def steps_of(queries: Sequence[Query], steps: int, batch: int, seed: int) -> Iterable[Query]:
    """Each step's queries, one step after the other, in our own trainer's order: so many
    lines that OpenRLHF's one pass over them is ``steps`` steps long."""
    order = Order(len(queries), batch, f"rl/{seed}")
    for step in range(steps):
        for place in order.at(step):
            yield queries[place]


def most_pictures(queries: Iterable[Query], dialogue: DialogueConfig) -> int:
    """Pictures that an episode can hold: a video counts as one, whatever its frames."""
    frames = max((len(query.pictures) for query in queries if query.is_video), default=1)
    return dialogue.max_pictures - 1 + frames


def _fits(query: Query, prompts: Renderer) -> bool:
    dialogue = prompts.dialogue
    if not query.is_video and len(query.pictures) > dialogue.max_pictures:
        return False
    length = prompt_length(query, prompts)
    return length + dialogue.max_new_tokens <= dialogue.max_tokens


def prompt_length(query: Query, prompts: Renderer) -> int:
    """Tokens of the query's prompt, from its pictures' sizes alone."""
    dialogue = prompts.dialogue
    budget = dialogue.frames.frame if query.is_video else dialogue.picture
    unseen = Image.new("RGB", (1, 1))
    visuals = [
        Visual(
            ShownPicture(
                image=unseen,
                size=fit(picture.width, picture.height, budget),
                region=Box(x1=0, y1=0, x2=picture.width, y2=picture.height),
                picture=place,
            )
        )
        for place, picture in enumerate(query.pictures)
    ]
    return len(prompts.open(query, visuals))
