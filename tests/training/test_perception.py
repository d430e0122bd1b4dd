"""What the base model is taught, read back from the tokens it is trained on."""

from __future__ import annotations

import json
import random
import re

import torch
from tiny_world import dialogue, tiny

from pixel_core.config import CLIP_TASKS, BaseModelConfig, ClipConfig, PerceptionPhase
from pixel_core.config import PERCEPTION_TASKS as TASKS
from pixel_core.tiny.scene import NAMES
from pixel_core.training.tiny_clips import ClipLessons
from pixel_core.training.tiny_pretraining import PerceptionShard

PHASE = PerceptionPhase(
    steps=1,
    scenes=6,
    listing=3,
    pointing=3,
    reading=2,
    grounding=3,
    answering=3,
    crop_answering=3,
    clips=2,
    clip_pointing=2,
    clip_reading=2,
    clip_grounding=3,
    clip_answering=2,
)


def shard(model: object = None) -> PerceptionShard:
    world = tiny(config=dialogue())
    return PerceptionShard(
        model or world.model, world.prompts, BaseModelConfig(phases=(PHASE,)), PHASE, "test"
    )


def taught(task: str, seed: int) -> tuple[object, str]:
    """The scene of an item, and the text that carries loss."""
    maker = shard()
    rng = random.Random(seed)
    view = maker._view(rng)
    item = maker._item(task, view, rng)
    trained = [t for t, w in zip(item.tokens, item.weights, strict=True) if w > 0]
    return view.scene, tiny(config=dialogue()).vocabulary.decode(trained)


def test_the_lessons_are_true() -> None:
    for seed in range(20):
        scene, listed = taught("listing", seed)
        digits = [c.digit if c.big else "unclear" for c in sorted_cards(scene)]
        assert re.findall(r"the (\w+) card", listed) == [
            card.colour for card in sorted_cards(scene)
        ]
        assert re.findall(r"card \d+ \d+ (\w+)", listed) == digits
        scene, grounded = taught("grounding", seed)
        found = re.search(r"focus on the (\w+) card (\d+) (\d+) (\{.*\})", grounded)
        assert found is not None
        box = json.loads(found[4])["bbox_2d"]
        (card,) = [c for c in scene.cards if c.colour == found[1]]
        slot = scene.world.slot(card.cell).as_tuple()
        assert tuple(4 * value for value in box) == slot
        assert [int(found[2]), int(found[3])] == box[:2]


def sorted_cards(scene: object) -> list:
    return sorted(scene.cards, key=lambda card: card.cell)


def test_the_base_model_is_never_taught_to_call() -> None:
    for seed in range(10):
        for task in TASKS:
            _, text = taught(task, seed)
            assert "<tool_call>" not in text
            assert set(re.findall(r"the (\w+) card", text)) <= set(NAMES)


def test_the_lessons_on_clips_are_true() -> None:
    world = tiny(config=dialogue())
    dataset = ClipLessons(world.prompts, ClipConfig())
    for seed in range(20):
        rng = random.Random(seed)
        view = dataset.view(rng)
        visits = {visit.card.colour: visit for visit in view.clip.visits}
        said = {}
        for task in CLIP_TASKS:
            item = dataset.item(task, view, rng)
            pairs = list(zip(item.tokens, item.weights, strict=True))
            said[task] = world.vocabulary.decode([t for t, w in pairs if w > 0])
            assert "<tool_call>" not in said[task]
        grounded = re.search(r"focus on the (\w+) card (\d+) (\{.*\})", said["clip_grounding"])
        assert grounded is not None
        numbers = [frame + 1 for frame in visits[grounded[1]].frames]
        assert json.loads(grounded[3])["target_frames"] == numbers
        assert int(grounded[2]) == numbers[0]
        digits = {visit.card.digit for visit in view.clip.visits}
        assert set(said["clip_reading"].split()) <= digits
        assert re.search(r"boxed\{(\d)\}", said["clip_answering"])[1] in digits  # type: ignore


def test_every_item_is_dealt_once_and_both_shards_differ() -> None:
    agenda = shard()._agenda(PHASE.scenes, TASKS)
    assert len(agenda) == PHASE.scenes
    dealt = [task for tasks in agenda for task in tasks]
    for task in TASKS:
        assert dealt.count(task) == getattr(PHASE, task)


def test_a_step_has_gradient_and_the_same_one_again() -> None:
    model = tiny(config=dialogue()).model
    found = []
    for _ in range(2):
        model.zero_grad()
        row = shard(model)(0, 0)
        found.append((row, torch.cat([p.grad.flatten() for p in model.parameters()])))
    model.zero_grad()
    assert found[0][0] == found[1][0]
    assert torch.equal(found[0][1], found[1][1])
    assert {f"{task}_loss" for task in (*TASKS, *CLIP_TASKS)} <= set(found[0][0])
    assert found[0][1].abs().max() > 0
