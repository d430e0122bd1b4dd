"""One synthesised trajectory of each kind, as cards: its boxes, crops, and trained text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from pixel_core.config import DialogueConfig
from pixel_core.errors import DataError
from pixel_core.records import Cue, FrameCue, Seed, Trajectory, TrajectoryKind
from pixel_core.report.episodes.gallery import (
    Cutting,
    Gallery,
    Mark,
    Role,
    Shot,
    Strip,
    cutting,
)
from pixel_core.report.html.wording import clipped, plain
from pixel_core.report.material import Material
from pixel_core.rollout.call_syntax import CallError
from pixel_core.rollout.operations import ShownPicture, show
from pixel_core.rollout.operations_cache import OperationsCache
from pixel_core.rollout.tool_calls import Call, SelectCall, parse_turn


@dataclass(frozen=True)
class TurnCard:
    #: The text in pieces: (characters, whether they are trained).
    pieces: list[tuple[str, bool]]
    #: The number of the operation it requests; 0 for none.
    number: int
    #: The operation's output: a crop, or the selected frames.
    views: list[Cutting]
    #: Why the call could not be executed; "" if it was.
    error: str

    @property
    def trained(self) -> bool:
        """Whether all of its text is trained."""
        return all(trained for _, trained in self.pieces)


@dataclass(frozen=True)
class TrajectoryCard:
    kind: str
    count: int
    question: str
    answer: str
    #: The question's pictures with their boxes; for a video its frames instead.
    shots: list[Shot]
    strip: Strip | None
    turns: list[TurnCard]


@dataclass(frozen=True)
class PictureAndCrop:
    """A picture and a crop of it, as the model sees them."""

    picture: Cutting
    crop: Cutting
    stored: tuple[int, int]
    shown: tuple[int, int]
    crop_shown: tuple[int, int]


def trajectory_cards(
    material: Material, gallery: Gallery, dialogue: DialogueConfig
) -> list[TrajectoryCard]:
    """The first trajectory of each kind, in the kinds' order."""
    return [
        _card(group[0], len(group), material, gallery, dialogue) for group in by_kind(material)
    ]


def by_kind(material: Material) -> list[list[Trajectory]]:
    """The trajectories of each kind, pictures and videos apart; in the kinds' order."""
    groups: dict[tuple[int, bool], list[Trajectory]] = {}
    order = list(TrajectoryKind)
    for trajectory in material.trajectories:
        video = seed_of(material, trajectory).is_video
        groups.setdefault((order.index(trajectory.kind), video), []).append(trajectory)
    return [groups[key] for key in sorted(groups)]


def sight(
    material: Material, gallery: Gallery, dialogue: DialogueConfig
) -> PictureAndCrop | None:
    """Picture and crop at the model's resolution, from the first single-pass trajectory."""
    for trajectory in material.trajectories:
        if trajectory.kind is TrajectoryKind.SINGLE_PASS:
            seed = seed_of(material, trajectory)
            if seed.is_video:
                continue
            shown = _open(seed, gallery, dialogue)
            _, crops, _ = _carry_out(trajectory.turns[0].text, shown, seed, dialogue)
            if crops:
                whole, crop = shown[0], crops[0]
                return PictureAndCrop(
                    picture=_as_shown(whole, "The whole picture as the model sees it"),
                    crop=_as_shown(crop, "The crop as the model sees it"),
                    stored=whole.image.size,
                    shown=whole.size,
                    crop_shown=crop.size,
                )
    return None


def _card(
    trajectory: Trajectory,
    count: int,
    material: Material,
    gallery: Gallery,
    dialogue: DialogueConfig,
) -> TrajectoryCard:
    seed = seed_of(material, trajectory)
    shown = _open(seed, gallery, dialogue)
    marks: list[tuple[int, Mark]] = []
    selected: list[tuple[tuple[int, ...], Role]] = []
    annotation = material.annotations.get(seed.id)
    cue = annotation.cue if annotation else seed.cue
    if isinstance(cue, Cue):
        marks.append((cue.picture, Mark(cue.box, "", Role.CUE)))
    turns: list[TurnCard] = []
    for turn in trajectory.turns:
        call, views, error = _carry_out(turn.text, shown, seed, dialogue)
        number = 0
        if views:
            role = Role.WRONG if turn.untrained else Role.LOOK
            number = sum(bool(turn.number) for turn in turns) + 1
            if isinstance(call, SelectCall):
                selected.append((tuple(view.picture for view in views), role))
            else:
                marks.append((views[0].picture, Mark(views[0].region, str(number), role)))
            shown += views
        alt = f"What operation {number} shows"
        turns.append(
            TurnCard(
                pieces=[(clipped(piece), trained) for piece, trained in turn.pieces],
                number=number,
                views=[cutting(view.image, alt) for view in views],
                error=error,
            )
        )
    shots, strip = list[Shot](), None
    if seed.is_video:
        frames = cue.frames if isinstance(cue, FrameCue) else ()
        alt = f"The frames of the question {seed.question!r}, with those selected"
        strip = gallery.strip(seed.pictures, selected, frames, alt)
    else:
        alt = f"The picture of the question {seed.question!r}, with the boxes looked at"
        shots = [
            gallery.shot(picture, [mark for place, mark in marks if place == n], alt)
            for n, picture in enumerate(seed.pictures)
        ]
    return TrajectoryCard(
        plain(trajectory.kind) + (", video" if seed.is_video else ""),
        count,
        seed.question,
        " / ".join(seed.answers),
        shots,
        strip,
        turns,
    )


def _carry_out(
    text: str, shown: Sequence[ShownPicture], seed: Seed, dialogue: DialogueConfig
) -> tuple[Call | None, list[ShownPicture], str]:
    """(the turn's call, its output, the error if there is none)."""
    frames = dialogue.frames if seed.is_video and dialogue.frames.enabled else None
    try:
        call = parse_turn(text, dialogue.zoom, frames)
        if call is None:
            return None, [], ""
        op_cache = OperationsCache(shown[: len(seed.pictures)], dialogue)
        return call, [view for view, _ in op_cache.carry_out(call, shown)], ""
    except CallError as error:
        return None, [], str(error)


def _open(seed: Seed, gallery: Gallery, dialogue: DialogueConfig) -> list[ShownPicture]:
    budget = dialogue.frames.frame if seed.is_video else dialogue.picture
    return [show(gallery.load(picture), n, budget) for n, picture in enumerate(seed.pictures)]


def _as_shown(shown: ShownPicture, alt: str) -> Cutting:
    return cutting(shown.image.resize(shown.size, Image.Resampling.BICUBIC), alt)


def seed_of(material: Material, trajectory: Trajectory) -> Seed:
    """The seed as annotated: an annotator may have written the question.

    ``DataError`` for a trajectory of another dataset.
    """
    if trajectory.seed_id in material.annotations:
        return material.annotations[trajectory.seed_id].seed
    if trajectory.seed_id not in material.seeds:
        raise DataError(
            f"trajectory {trajectory.id} is made from seed {trajectory.seed_id!r}, which the "
            "ingest artifact lacks: synthesize again"
        )
    return material.seeds[trajectory.seed_id]
