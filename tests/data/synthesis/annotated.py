"""Annotated questions on pictures and videos, and trajectories replayed without a model."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from pixel_core.config import (
    DialogueConfig,
    KindShares,
    PipelineConfig,
    PixelBudget,
    SynthesizeConfig,
    VideoKindShares,
    ZoomConfig,
)
from pixel_core.data.synthesis.trajectories import TrajectoryWriter, Written
from pixel_core.records import (
    Annotation,
    Box,
    Cue,
    FrameCue,
    Picture,
    Query,
    Seed,
    Split,
    Trajectory,
    TrajectoryKind,
    write_jsonl,
)
from pixel_core.rewards.grading import extract_boxed, grade
from pixel_core.rollout.operations import ShownPicture, select, show, zoom
from pixel_core.rollout.tool_calls import SelectCall, parse_turn
from pixel_core.workflow.stage import SilentProgress, StageContext

SIZE = (448, 448)
FRAMES = 16

TERSE = PipelineConfig(
    dialogue=DialogueConfig(
        picture=PixelBudget(max_pixels=112 * 112),
        zoom=ZoomConfig(coordinates="pixel", padding=0.0),
    ),
    synthesize=SynthesizeConfig(templates="terse"),
)
PLAIN = PipelineConfig()

IMAGE_KINDS = [TrajectoryKind(name) for name in KindShares.model_fields]
VIDEO_KINDS = [TrajectoryKind(name) for name in VideoKindShares.model_fields]


def annotation(number: int, **changes: Any) -> Annotation:
    """A question on a 448x448 picture with an 80x80 cue somewhere."""
    rng = random.Random(number)
    x, y = rng.randrange(368), rng.randrange(368)
    pictures = changes.pop("pictures", 1)
    size = changes.pop("size", SIZE)
    cue = changes.pop("cue", Cue(box=Box(x1=x, y1=y, x2=x + 80, y2=y + 80)))
    own = {
        name: changes.pop(name)
        for name in ("whole_view", "local_view", "look")
        if name in changes
    }
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
    return Annotation(seed=seed, cue=cue, author="test", **own)


def video(number: int, **changes: Any) -> Annotation:
    """A question on 16 frames of which a run holds the evidence."""
    rng = random.Random(number)
    length = rng.randint(1, 5)
    start = rng.randint(0, FRAMES - length)
    cue = FrameCue(frames=tuple(range(start, start + length)))
    size = (64, 64)  # nothing is drawn here
    return annotation(
        number, **{"cue": cue, "pictures": FRAMES, "size": size, "is_video": True} | changes
    )


def only(kind: TrajectoryKind, base: PipelineConfig) -> PipelineConfig:
    """Every seed, picture or video, gets this kind where its medium has it."""
    changes = {}
    for field, shares in (("kinds", KindShares), ("video_kinds", VideoKindShares)):
        if kind in shares.model_fields:
            weights = {name: float(name == kind) for name in shares.model_fields}
            changes[field] = shares(**weights)
    settings = base.synthesize.model_copy(update=changes)
    return base.model_copy(update={"synthesize": settings})


def written(writer: TrajectoryWriter, item: Annotation) -> Written:
    result = writer.write(item)
    assert isinstance(result, Written), result
    return result


@dataclass(frozen=True)
class Looks:
    """What the calls of a trajectory showed, in order: regions, or 0-based frames."""

    regions: list[Box]
    frames: list[tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.regions) + len(self.frames)


def replay(item: Annotation, trajectory: Trajectory, config: PipelineConfig) -> Looks:
    """Carry out every call as an episode would; the last turn must answer rightly."""
    dialogue, video = config.dialogue, item.seed.is_video
    frames = dialogue.frames if video and dialogue.frames.enabled else None
    budget = dialogue.frames.frame if video else dialogue.picture
    shown: list[ShownPicture] = [
        show(Image.new("1", (p.width, p.height)), index, budget)
        for index, p in enumerate(item.seed.pictures)
    ]
    looks = Looks([], [])
    for turn in trajectory.turns[:-1]:
        call = parse_turn(turn.text, dialogue.zoom, frames)
        assert call is not None
        assert extract_boxed(turn.text) is None
        if isinstance(call, SelectCall):
            chosen = select(call, shown[: len(item.seed.pictures)], dialogue)
            looks.frames.append(tuple(frame.picture for frame in chosen))
            shown += chosen
        else:
            crop = zoom(call, shown, dialogue)
            shown.append(crop)
            looks.regions.append(crop.region)
    own = len(item.seed.pictures) - 1 if video else 0
    assert len(shown) - own <= dialogue.max_pictures
    assert len(looks) <= dialogue.max_operations
    last = trajectory.turns[-1].text
    assert parse_turn(last, dialogue.zoom, frames) is None
    assert grade(extract_boxed(last), Query.from_seed(item.seed))
    return looks


def stage(folder: Path, annotations: list[Annotation], config: PipelineConfig) -> StageContext:
    source, out = folder / "annotate", folder / "out"
    source.mkdir(parents=True)
    out.mkdir()
    write_jsonl(source / "annotations.jsonl", annotations)
    return StageContext(config, {"annotate": source}, out, None, SilentProgress())
