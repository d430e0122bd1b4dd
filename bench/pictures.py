"""Drawing a question's picture, and cutting pictures into the vision tower's patches.

    python -m bench.pictures [--items 100] [--repeats 9] [--json]

Peer of the patches: transformers' Qwen2-VL image processor (the Pillow one, which gives the
same numbers bit for bit), on the same pictures and for the same size.
"""

from __future__ import annotations

import argparse
import random

import torch
from transformers import Qwen2VLImageProcessorPil

from bench.measure import Figure, arguments, in_turns, tell
from pixel_core.config import QuestionShares, WorldConfig
from pixel_core.config.profile import load_profile
from pixel_core.media.budget import fit
from pixel_core.media.patches import patchify
from pixel_core.tiny.draw import draw, png
from pixel_core.tiny.questions import ask
from pixel_core.tiny.scene import World


def measure(asked: argparse.Namespace) -> list[Figure]:
    torch.set_num_threads(1)
    world, shares = World(WorldConfig()), QuestionShares()

    def items() -> None:
        for number in range(asked.items):
            rng = random.Random(number)
            scene = world.scene(rng)
            ask(scene, rng, shares)
            png(scene)

    budget = load_profile("tiny").dialogue.picture
    images = [draw(world.scene(random.Random(n))) for n in range(asked.items)]
    size = fit(*images[0].size, budget)
    processor = Qwen2VLImageProcessorPil(
        size={"shortest_edge": budget.min_pixels, "longest_edge": budget.max_pixels}
    )
    times = in_turns(
        {
            "draw": items,
            "ours": lambda: [patchify(image, size) for image in images],
            "peer": lambda: [processor(image, return_tensors="pt") for image in images],
        },
        asked.repeats,
    )
    ratio = times["ours"].times_as_fast_as(times["peer"])
    shown = f"{size[0]} x {size[1]} pixels"
    return [
        times["draw"].each("a drawn item: scene, question, PNG", asked.items),
        times["ours"].each(
            f"patches of a picture at {shown}",
            asked.items,
            peer=ratio,
            note="peer: Qwen2VLImageProcessorPil, the same numbers",
        ),
    ]


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=9)
    options.add_argument("--items", type=int, default=100, help="pictures a turn")
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    tell(given, measure(given))
