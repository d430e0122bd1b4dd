"""Draws ``examples/cards``: a small folder of pictures with its manifest.

    python examples/make_cards.py [FOLDER]

The folder stands for your own data. Each picture shows a few cards with a digit on each;
``manifest.jsonl`` asks about them. Most records give the box of the evidence, a few give
choices, and a few questions are about the picture as a whole.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from pixel_core.config import QuestionShares, WorldConfig
from pixel_core.tiny.draw import png
from pixel_core.tiny.questions import DrawnQuestion, ask
from pixel_core.tiny.scene import Scene, World

FOLDER = Path(__file__).parent / "cards"

#: Pictures of each split, and how many of them are asked about twice.
PICTURES = {"train": (28, 8), "validation": (8, 2), "test": (12, 2)}

#: One record in so many, among those with a digit for an answer, is multiple choice.
CHOICES_EVERY = 5


def records(rng: random.Random, image: str, split: str, scene: Scene, count: int) -> list[Any]:
    """``count`` different questions about a scene, as manifest records."""
    asked: dict[str, DrawnQuestion] = {}
    while len(asked) < count:
        question = ask(scene, rng, QuestionShares())
        asked.setdefault(question.question, question)
    found = []
    for question in asked.values():
        record: dict[str, Any] = {
            "image": image,
            "question": question.question,
            "answer": question.answer,
            "kind": question.kind,
            "split": split,
        }
        if question.cue is not None:
            record["box"] = list(question.cue.as_tuple())
            record["subject"] = question.subject
        found.append(record)
    return found


def add_choices(rng: random.Random, record: dict[str, Any]) -> None:
    """Three wrong digits beside the right one, in random order."""
    others = [digit for digit in "0123456789" if digit != record["answer"]]
    choices = [record["answer"], *rng.sample(others, 3)]
    rng.shuffle(choices)
    record["choices"] = choices


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random("cards")
    world = World(WorldConfig())
    manifest = []
    for split, (pictures, twice) in PICTURES.items():
        for number in range(pictures):
            scene = world.scene(rng)
            image = f"{split}_{number:02d}.png"
            (folder / image).write_bytes(png(scene))
            manifest += records(rng, image, split, scene, 2 if number < twice else 1)
    digits = [record for record in manifest if record["kind"].startswith("digit")]
    for record in digits[::CHOICES_EVERY]:
        add_choices(rng, record)
    lines = "".join(json.dumps(record) + "\n" for record in manifest)
    (folder / "manifest.jsonl").write_text(lines, encoding="utf-8")
    print(f"{len(manifest)} questions about {len(list(folder.glob('*.png')))} pictures")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
