"""The stage: what it counts, what it leaves out, and that its lines stand on their own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from annotated import IMAGE_KINDS, PLAIN, TERSE, annotation, stage, video

from pixel_core.config import KindShares, PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.data.synthesis import stage as synthesize
from pixel_core.errors import ConfigError, DataError
from pixel_core.records import Annotation, SecondLook, Split, Trajectory, read_jsonl


def run(folder: Path, items: list[Annotation], config: PipelineConfig) -> list[bytes]:
    """The lines that are written."""
    context = stage(folder, items, config)
    synthesize.run(context)
    return (context.out / "trajectories.jsonl").read_bytes().splitlines()


def test_shares_follow_the_weights_and_only_train_is_used(tmp_path: Path) -> None:
    items = [annotation(n) for n in range(1500)]
    items += [video(n) for n in range(1500, 3000)]
    held_out = [annotation(n, split=Split.TEST) for n in range(3000, 3050)]
    context = stage(tmp_path, [*held_out, *items], TERSE)
    metrics = synthesize.run(context)
    made = list(read_jsonl(context.out / "trajectories.jsonl", Trajectory))
    assert [t.seed_id for t in made] == [item.seed.id for item in items]
    assert metrics["trajectories"] == len(made)
    assert metrics["kinds"] == Counter(t.kind.value for t in made)
    settings = TERSE.synthesize
    for half, shares in ((made[:1500], settings.kinds), (made[1500:], settings.video_kinds)):
        kinds = Counter(t.kind.value for t in half)
        weights = shares.model_dump()
        for kind, weight in weights.items():
            # Binomial with n = 1500: three standard errors are under 0.039.
            assert abs(kinds[kind] / 1500 - weight / sum(weights.values())) < 0.039
    mistakes = sum(bool(turn.untrained) for t in made for turn in t.turns)
    assert metrics["turns"]["with_mistake"] == mistakes > 0
    assert metrics["turns"]["trained"] == sum(len(t.turns) for t in made) - mistakes


def test_new_seeds_leave_the_old_trajectories_as_they_are(tmp_path: Path) -> None:
    old = [annotation(n) if n % 3 else video(n) for n in range(150)]
    new = [annotation(n) for n in range(1000, 1100)]
    before = run(tmp_path / "before", old, PLAIN)
    assert run(tmp_path / "again", old, PLAIN) == before
    # Wherever the new ones stand, and in whichever order.
    assert run(tmp_path / "after", [*old, *new], PLAIN)[:150] == before
    mixed = [*new[:50], *reversed(old), *new[50:]]
    assert run(tmp_path / "mixed", mixed, PLAIN)[50:200] == before[::-1]


def test_another_seed_writes_other_trajectories(tmp_path: Path) -> None:
    items = [annotation(n) for n in range(40)]
    reseeded = PLAIN.synthesize.model_copy(update={"seed": 1})
    other = PLAIN.model_copy(update={"synthesize": reseeded})
    assert run(tmp_path / "a", items, PLAIN) != run(tmp_path / "b", items, other)


def test_annotations_are_read_one_at_a_time(tmp_path: Path) -> None:
    """A line that breaks the contract is met only when its turn comes."""
    items = [annotation(n) for n in range(1200)]
    context = stage(tmp_path, items, TERSE)
    source = context.inputs["annotate"] / "annotations.jsonl"
    with source.open("a") as lines:
        lines.write("{}\n")
    with pytest.raises(DataError, match=r"annotations\.jsonl, line 1201"):
        synthesize.run(context)
    kept = (context.out / "trajectories.jsonl").read_text().splitlines()
    assert len(kept) == 1200


def test_seeds_without_a_trajectory_are_counted(tmp_path: Path) -> None:
    items = [
        annotation(1),
        annotation(2, question="", answers=()),
        annotation(3, answers=("}",)),
        annotation(4, answers=("<tool_call>",)),
        annotation(5, look=SecondLook.EASY),
    ]
    settings = PLAIN.synthesize.model_copy(update={"easy": "drop"})
    config = PLAIN.model_copy(update={"synthesize": settings})
    metrics = synthesize.run(stage(tmp_path / "some", items, config))
    assert metrics["trajectories"] == 1
    assert metrics["left_out"] == {"easy": 1, "unanswerable": 2, "unasked": 1}
    with pytest.raises(DataError, match=r"all 4 .* \(easy 1, unanswerable 2, unasked 1\)"):
        synthesize.run(stage(tmp_path / "none", items[1:], config))


def test_nothing_to_write_from_is_an_error(tmp_path: Path) -> None:
    context = stage(tmp_path, [annotation(1, split=Split.TEST)], PLAIN)
    with pytest.raises(DataError, match="no annotated train seed"):
        synthesize.run(context)


def test_weights_that_are_all_zero_are_an_error() -> None:
    assert set(KindShares.model_fields) == set(IMAGE_KINDS)
    zeros = [f"synthesize.kinds.{kind}=0" for kind in IMAGE_KINDS]
    with pytest.raises(ConfigError, match=r"synthesize\.kinds: .*are 0: raise at least one"):
        load_profile("tiny", zeros)
