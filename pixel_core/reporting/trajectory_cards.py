"""One synthesised trajectory of each kind, as cards: its boxes, its crops, what is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from pixel_core.config import DialogueConfig
from pixel_core.dialogue.call_errors import CallError
from pixel_core.dialogue.calls import parse_turn
from pixel_core.errors import DataError
from pixel_core.pages.wording import clipped, plain
from pixel_core.records import Cue, Seed, Trajectory, TrajectoryKind
from pixel_core.reporting.gallery import Cutting, Gallery, Mark, Role, Shot, cutting
from pixel_core.reporting.material import Material
from pixel_core.vision.operations import ShownPicture, show, zoom


@dataclass(frozen=True)
class TurnCard:
    #: The text in pieces: (characters, whether they are trained).
    pieces: list[tuple[str, bool]]
    #: The number of the box it asks for; 0 when it calls nothing.
    number: int
    crop: Cutting | None
    #: Why the call could not be carried out; "" when it could.
    error: str

    @property
    def trained(self) -> bool:
        """Whether all of its text is."""
        return all(trained for _, trained in self.pieces)


@dataclass(frozen=True)
class TrajectoryCard:
    kind: str
    count: int
    question: str
    answer: str
    shots: list[Shot]
    turns: list[TurnCard]


@dataclass(frozen=True)
class Sight:
    """What the model sees of a picture and of a crop of it."""

    picture: Cutting
    crop: Cutting
    stored: tuple[int, int]
    shown: tuple[int, int]
    crop_shown: tuple[int, int]


def trajectory_cards(
    material: Material, gallery: Gallery, dialogue: DialogueConfig
) -> list[TrajectoryCard]:
    """The first trajectory of each kind, in the kinds' own order."""
    cards = []
    for kind in TrajectoryKind:
        of_kind = [t for t in material.trajectories if t.kind is kind]
        if of_kind:
            cards.append(_card(of_kind[0], len(of_kind), material, gallery, dialogue))
    return cards


def sight(material: Material, gallery: Gallery, dialogue: DialogueConfig) -> Sight | None:
    """Picture and crop at the model's resolution, from the first single-pass trajectory."""
    for trajectory in material.trajectories:
        if trajectory.kind is TrajectoryKind.SINGLE_PASS:
            shown = _open(_seed(material, trajectory), gallery, dialogue)
            _, crop, _ = _carry_out(trajectory.turns[0].text, shown, dialogue)
            if crop is not None:
                whole = shown[0]
                return Sight(
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
    seed = _seed(material, trajectory)
    shown = _open(seed, gallery, dialogue)
    marks: list[tuple[int, Mark]] = []
    annotation = material.annotations.get(seed.id)
    cue = annotation.cue if annotation else seed.cue
    if isinstance(cue, Cue):
        marks.append((cue.picture, Mark(cue.box, "", Role.CUE)))
    turns = []
    for turn in trajectory.turns:
        called, crop, error = _carry_out(turn.text, shown, dialogue)
        number = 0
        if crop is not None:
            number = len(shown) - len(seed.pictures) + 1
            shown.append(crop)
            role = Role.WRONG if turn.untrained else Role.LOOK
            marks.append((crop.picture, Mark(crop.region, str(number), role)))
        alt = f"What box {number} shows"
        turns.append(
            TurnCard(
                pieces=[(clipped(piece), trained) for piece, trained in turn.pieces],
                number=number,
                crop=cutting(crop.image, alt) if crop else None,
                error=error if called else "",
            )
        )
    shots = [
        gallery.shot(
            picture,
            [mark for place, mark in marks if place == n],
            f"The picture of the question {seed.question!r}, with the boxes looked at",
        )
        for n, picture in enumerate(seed.pictures)
    ]
    return TrajectoryCard(
        plain(trajectory.kind), count, seed.question, " / ".join(seed.answers), shots, turns
    )


def _carry_out(
    text: str, shown: Sequence[ShownPicture], dialogue: DialogueConfig
) -> tuple[bool, ShownPicture | None, str]:
    """(whether the turn calls, the crop, why there is none)."""
    try:
        call = parse_turn(text, dialogue.zoom)
        return call is not None, zoom(call, shown, dialogue) if call else None, ""
    except CallError as error:
        return True, None, str(error)


def _open(seed: Seed, gallery: Gallery, dialogue: DialogueConfig) -> list[ShownPicture]:
    return [
        show(gallery.load(picture), n, dialogue.picture)
        for n, picture in enumerate(seed.pictures)
    ]


def _as_shown(shown: ShownPicture, alt: str) -> Cutting:
    return cutting(shown.image.resize(shown.size, Image.Resampling.BICUBIC), alt)


def _seed(material: Material, trajectory: Trajectory) -> Seed:
    if trajectory.seed_id not in material.seeds:
        raise DataError(
            f"trajectory {trajectory.id} is made from seed {trajectory.seed_id!r}, which the "
            "ingest artifact lacks: synthesize again"
        )
    return material.seeds[trajectory.seed_id]
