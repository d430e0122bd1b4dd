"""Trajectories, checked by replaying every turn: parsed, executed, looked at."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pixel_core.config import (
    DialogueConfig,
    KindShares,
    PipelineConfig,
    PixelBudget,
    SynthesizeConfig,
    ZoomConfig,
)
from pixel_core.dialogue.calls import parse_turn
from pixel_core.errors import ConfigError, DataError
from pixel_core.profile import load_profile
from pixel_core.records import (
    Annotation,
    Box,
    Cue,
    Picture,
    Query,
    Seed,
    Split,
    Trajectory,
    TrajectoryKind,
    read_jsonl,
    write_jsonl,
)
from pixel_core.rewards.grading import extract_boxed, grade
from pixel_core.stage import SilentProgress, StageContext
from pixel_core.synthesis import synthesize
from pixel_core.synthesis.kinds import OPERATIONS
from pixel_core.synthesis.trajectories import Writer
from pixel_core.vision.operations import ShownPicture, show, zoom

SIZE = (448, 448)

TERSE = PipelineConfig(
    dialogue=DialogueConfig(
        picture=PixelBudget(max_pixels=112 * 112),
        zoom=ZoomConfig(coordinates="pixel", padding=0.0),
    ),
    synthesize=SynthesizeConfig(templates="terse"),
)
PLAIN = PipelineConfig()

IMAGE_KINDS = [TrajectoryKind(name) for name in KindShares.model_fields]


def annotation(number: int, **changes: Any) -> Annotation:
    """A question on a 448x448 picture with an 80x80 cue somewhere."""
    rng = random.Random(number)
    x, y = rng.randrange(368), rng.randrange(368)
    pictures = changes.pop("pictures", 1)
    size = changes.pop("size", SIZE)
    cue = changes.pop("cue", Cue(box=Box(x1=x, y1=y, x2=x + 80, y2=y + 80)))
    texts = {name: changes.pop(name, "") for name in ("whole_view", "local_view")}
    seed = Seed(
        **{
            "id": f"s{number}",
            "split": Split.TRAIN,
            "question": "which digit is on the red card?",
            "answers": (str(number % 10),),
            "pictures": tuple(
                Picture(member=f"{i}.png", width=size[0], height=size[1], sha256="0" * 64)
                for i in range(pictures)
            ),
            "subject": "the red card",
            "provenance": {"source": "test"},
            **changes,
        }
    )
    return Annotation(seed=seed, cue=cue, author="test", **texts)


def only(kind: TrajectoryKind, base: PipelineConfig) -> PipelineConfig:
    weights = {name: float(name == kind) for name in KindShares.model_fields}
    settings = base.synthesize.model_copy(update={"kinds": KindShares(**weights)})
    return base.model_copy(update={"synthesize": settings})


def replay(item: Annotation, trajectory: Trajectory, config: PipelineConfig) -> list[Box]:
    """Carry out every call as an episode would; return the regions that were cut."""
    shown: list[ShownPicture] = [
        show(Image.new("1", (p.width, p.height)), index, config.dialogue.picture)
        for index, p in enumerate(item.seed.pictures)
    ]
    regions = []
    for turn in trajectory.turns[:-1]:
        call = parse_turn(turn.text, config.dialogue.zoom)
        assert call is not None
        crop = zoom(call, shown, config.dialogue)
        shown.append(crop)
        regions.append(crop.region)
        assert extract_boxed(turn.text) is None
    last = trajectory.turns[-1].text
    assert parse_turn(last, config.dialogue.zoom) is None
    assert grade(extract_boxed(last), Query.from_seed(item.seed))
    return regions


@pytest.mark.parametrize("config", [TERSE, PLAIN], ids=["terse", "plain"])
@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_every_kind_replays_as_designed(config: PipelineConfig, kind: TrajectoryKind) -> None:
    config = only(kind, config)
    writer = Writer(config)
    for number in range(60):
        item = annotation(number)
        trajectory = writer.write(item).trajectory
        assert trajectory.kind is kind
        regions = replay(item, trajectory, config)
        assert len(regions) == OPERATIONS[kind]
        trained = [turn.trained for turn in trajectory.turns]
        wrong = max(0, len(regions) - 1)
        # Wrong operations are not trained; the words that recover from them are.
        assert trained == [False] * wrong + [True] * (len(trained) - wrong)
        if not regions:
            continue
        assert item.cue is not None
        cue = item.cue.box
        assert regions[-1].contains(cue)
        for region in regions[:-1]:
            if kind is TrajectoryKind.FURTHER_ZOOM:
                assert region.contains(cue)
                assert region.area >= config.synthesize.too_large * cue.area
            else:
                assert not region.intersects(cue)
        assert len(set(regions)) == len(regions)


def test_terse_turns_have_exactly_the_taught_forms() -> None:
    call = r'<tool_call>{"name": "zoom_in", "arguments": {"bbox_2d": '
    starts = {
        TrajectoryKind.DIRECT: ["focus on the red card "],
        TrajectoryKind.SINGLE_PASS: ["zoom in on the red card {at} " + call],
        TrajectoryKind.RECROP_ONCE: [
            "zoom in on the red card {at} " + call,
            "wrong place zoom in on the red card {at} " + call,
        ],
        TrajectoryKind.FURTHER_ZOOM: [
            "zoom in on the red card {at} " + call,
            "too far zoom in on the red card {at} " + call,
        ],
    }
    for kind, expected in starts.items():
        turns = Writer(only(kind, TERSE)).write(annotation(7)).trajectory.turns
        for turn, start in zip(turns, expected, strict=False):
            found = parse_turn(turn.text, TERSE.dialogue.zoom)
            at = f"{found.box[0]:g} {found.box[1]:g}" if found else ""
            assert turn.text.startswith(start.replace("{at}", at))
        if kind is not TrajectoryKind.DIRECT:
            assert turns[-1].text == "the crop shows \\boxed{7}"
            assert turns[0].text.endswith('"target_image": 1}}</tool_call>')
        else:
            assert re.fullmatch(r"focus on the red card \S+ \S+ 7 \\boxed\{7\}", turns[0].text)
    nameless = annotation(7, subject="", cue=None)
    only_turn = Writer(TERSE).write(nameless).trajectory.turns[0]
    assert only_turn.text == "focus on the picture 7 \\boxed{7}"


def test_plain_texts_vary_and_use_the_annotators_words() -> None:
    writer = Writer(only(TrajectoryKind.SINGLE_PASS, PLAIN))
    items = [
        annotation(n, whole_view="A table with cards.", local_view="It says so.")
        for n in range(80)
    ]
    first, last = zip(*(writer.write(item).trajectory.turns for item in items), strict=True)
    assert all(turn.text.startswith("A table with cards. ") for turn in first)
    assert all(turn.text.startswith("It says so. ") for turn in last)
    bridges = {turn.text.split("<tool_call>")[0] for turn in first}
    assert len(bridges) >= 4
    assert all("the red card" in turn.text.lower() for turn in first)


def test_a_seed_without_a_cue_is_answered_directly() -> None:
    writer = Writer(only(TrajectoryKind.RECROP_TWICE, PLAIN))
    assert writer.write(annotation(1, cue=None)).trajectory.kind is TrajectoryKind.DIRECT


def test_the_call_targets_the_picture_that_holds_the_cue() -> None:
    config = only(TrajectoryKind.FURTHER_ZOOM, TERSE)
    cue = Cue(box=Box(x1=10, y1=10, x2=60, y2=60), picture=1)
    item = annotation(1, pictures=3, cue=cue)
    trajectory = Writer(config).write(item).trajectory
    for turn in trajectory.turns[:-1]:
        call = parse_turn(turn.text, config.dialogue.zoom)
        assert call is not None
        assert call.target == 2
    assert replay(item, trajectory, config)[-1].contains(cue.box)


@pytest.mark.parametrize(
    ("kind", "changes", "made"),
    [
        # The cue fills the picture: nowhere else to look, nothing larger to show.
        (
            TrajectoryKind.RECROP_TWICE,
            {"cue": Cue(box=Box(x1=0, y1=0, x2=448, y2=448))},
            TrajectoryKind.SINGLE_PASS,
        ),
        (
            TrajectoryKind.FURTHER_ZOOM,
            {"cue": Cue(box=Box(x1=0, y1=0, x2=400, y2=400))},
            TrajectoryKind.SINGLE_PASS,
        ),
        # The picture is below the operation's least size.
        (
            TrajectoryKind.RECROP_ONCE,
            {"size": (28, 28), "cue": Cue(box=Box(x1=0, y1=0, x2=9, y2=9))},
            TrajectoryKind.DIRECT,
        ),
        # Fourteen pictures leave room for two crops of sixteen.
        (TrajectoryKind.RECROP_TWICE, {"pictures": 14}, TrajectoryKind.RECROP_ONCE),
    ],
)
def test_an_impossible_kind_becomes_a_simpler_one(
    kind: TrajectoryKind, changes: dict[str, Any], made: TrajectoryKind
) -> None:
    config = only(kind, PLAIN)
    item = annotation(3, **changes)
    result = Writer(config).write(item)
    assert (result.drawn, result.trajectory.kind) == (kind, made)
    replay(item, result.trajectory, config)


def test_a_padding_that_always_shows_the_cue_makes_wrong_boxes_impossible() -> None:
    zoom_config = ZoomConfig(coordinates="pixel", padding=0.5)
    base = PipelineConfig(dialogue=DialogueConfig(zoom=zoom_config))
    middle = Cue(box=Box(x1=200, y1=200, x2=240, y2=240))
    result = Writer(only(TrajectoryKind.RECROP_ONCE, base)).write(annotation(1, cue=middle))
    assert result.trajectory.kind is TrajectoryKind.SINGLE_PASS


def stage(folder: Path, annotations: list[Annotation], config: PipelineConfig) -> StageContext:
    source, out = folder / "annotate", folder / "out"
    source.mkdir(parents=True)
    out.mkdir()
    write_jsonl(source / "annotations.jsonl", annotations)
    return StageContext(config, {"annotate": source}, out, None, SilentProgress())


def test_shares_follow_the_weights_and_only_train_is_used(tmp_path: Path) -> None:
    items = [annotation(n) for n in range(3000)]
    held_out = [annotation(n, split=Split.TEST) for n in range(3000, 3050)]
    context = stage(tmp_path, [*items, *held_out], TERSE)
    metrics = synthesize.run(context)
    made = list(read_jsonl(context.out / "trajectories.jsonl", Trajectory))
    assert [t.seed_id for t in made] == [item.seed.id for item in items]
    kinds = Counter(t.kind.value for t in made)
    assert metrics["kinds"] == kinds
    weights = TERSE.synthesize.kinds.model_dump()
    total = sum(weights.values())
    for kind, weight in weights.items():
        # Binomial with n = 3000: three standard errors are under 0.028.
        assert abs(kinds[kind] / 3000 - weight / total) < 0.028
    untrained = sum(not turn.trained for t in made for turn in t.turns)
    assert metrics["turns"]["untrained"] == untrained


def test_a_trajectory_does_not_depend_on_its_neighbours(tmp_path: Path) -> None:
    items = [annotation(n) for n in range(40)]

    def lines(name: str, chosen: list[Annotation], config: PipelineConfig) -> dict[str, str]:
        context = stage(tmp_path / name, chosen, config)
        synthesize.run(context)
        made = read_jsonl(context.out / "trajectories.jsonl", Trajectory)
        return {t.seed_id: t.model_dump_json() for t in made}

    every = lines("a", items, PLAIN)
    assert lines("b", items[::-2], PLAIN).items() <= every.items()
    reseeded = PLAIN.synthesize.model_copy(update={"seed": 1})
    other = lines("c", items, PLAIN.model_copy(update={"synthesize": reseeded}))
    assert other != every


def test_nothing_to_write_from_is_an_error(tmp_path: Path) -> None:
    context = stage(tmp_path, [annotation(1, split=Split.TEST)], PLAIN)
    with pytest.raises(DataError, match="no annotated train seed"):
        synthesize.run(context)


def test_weights_that_are_all_zero_are_an_error() -> None:
    zeros = [f"synthesize.kinds.{kind}=0" for kind in IMAGE_KINDS]
    with pytest.raises(ConfigError, match=r"synthesize\.kinds = .*are 0: raise at least one"):
        load_profile("tiny", zeros)
