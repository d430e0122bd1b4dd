"""Seeds from the drawn world: pictures, videos, and which digit a question asks for."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from pixel_core.config import DrawnConfig
from pixel_core.data.sources.source import FoundSeed
from pixel_core.errors import DataError
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.records import Cue, FrameCue, Picture, Provenance, Seed, Split
from pixel_core.tiny.clip import KIND, ClipQuestion, ClipWorld, ask_clip, with_clip_digit
from pixel_core.tiny.draw import png
from pixel_core.tiny.questions import DrawnQuestion, ask, with_digit
from pixel_core.tiny.scene import World


class Digits:
    """Right answers for a split's digit questions, each kind in shuffled tens."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._asked: Counter[str] = Counter()

    def next(self, kind: str) -> str:
        tens, place = divmod(self._asked[kind], 10)
        self._asked[kind] += 1
        digits = list("0123456789")
        random.Random(f"{self._stream}/{kind}/{tens}").shuffle(digits)
        return digits[place]


# Questions about the drawn world: as many as configured, none shared between splits.


SOURCE = "drawn"

#: Test first: its scenes then never depend on the amount of training data.
ORDER = (Split.TEST, Split.VALIDATION, Split.TRAIN)

#: Redraws of a scene that an earlier split already has; only a tiny world needs any.
_ATTEMPTS = 100


def counts(config: DrawnConfig) -> dict[Split, int]:
    return {
        Split.TEST: config.test,
        Split.VALIDATION: config.validation,
        Split.TRAIN: config.train,
    }


def seeds(config: DrawnConfig, archive: PictureArchiveWriter) -> Iterator[Seed]:
    """Yield seeds split by split, storing their pictures.

    Every item has its own random stream, named by seed, split and index, so a larger split
    begins with the smaller one's items. The digits asked for come in shuffled tens, so
    always guessing the same one scores a tenth. A scene that an earlier split has is drawn
    again. Raises ``DataError`` when the world has too few scenes for that.
    """

    world, clips = World(config.world), DrawnVideos(config)
    earlier: set[bytes] = set()
    for split in ORDER:
        own: set[bytes] = set()
        digits = Digits(f"{config.seed}/{split}")
        for index in range(counts(config)[split]):
            id = f"{SOURCE}-{split}-{index:06d}"
            if is_video(config, split, index):
                video = clips.seed(split, index, digits, earlier)
                yield video.stored(archive)
                own.add(video.digest)
                continue
            question, data, digest = _item(config, world, split, index, digits, earlier)
            own.add(digest)
            side = config.world.side
            yield _seed(id, split, question, archive.add(f"{id}.png", data, side, side))
        earlier |= own


class DrawnSource:
    """``seeds`` behind the interface that ``ingest`` reads. Raises ``ConfigError`` for a
    world that can't be drawn."""

    def __init__(self, config: DrawnConfig) -> None:
        World(config.world)
        self._config = config

    def fingerprint(self) -> dict[str, Any]:
        """The settings alone determine the content."""
        return {}

    def total(self) -> int:
        return sum(counts(self._config).values())

    def seeds(self, archive: PictureArchiveWriter) -> Iterator[FoundSeed]:
        return (FoundSeed(seed, fixed=True) for seed in seeds(self._config, archive))

    def counts(self) -> dict[str, int]:
        return {}


def _item(
    config: DrawnConfig,
    world: World,
    split: Split,
    index: int,
    digits: Digits,
    earlier: set[bytes],
) -> tuple[DrawnQuestion, bytes, bytes]:
    """A question, its picture as PNG, and the picture's digest (not one of ``earlier``)."""
    from pixel_core.tiny.draw import png

    rng = random.Random(f"{config.seed}/{split}/{index}")
    for _ in range(_ATTEMPTS):
        scene = world.scene(rng)
        question = ask(scene, rng, config.world.questions)
        if question.answer.isdigit() and question.cue is not None:
            scene, question = with_digit(scene, question, digits.next(question.kind))
        data = png(scene)
        digest = hashlib.sha256(data).digest()
        if digest not in earlier:
            return question, data, digest
    raise DataError(
        f"the drawn world has too few scenes to keep the splits apart: {_ATTEMPTS} scenes "
        f"drawn for {split} item {index} were all in other splits; enlarge "
        "ingest.drawn.world (grid, jitter, max_cards) or ask for fewer items"
    )


def _seed(id: str, split: Split, question: DrawnQuestion, picture: Picture) -> Seed:
    return Seed(
        id=id,
        split=split,
        question=question.question,
        answers=(question.answer,),
        pictures=(picture,),
        cue=None if question.cue is None else Cue(box=question.cue),
        subject=question.subject,
        kind=question.kind,
        legible=question.legible,
        provenance=Provenance(source=SOURCE, digest=picture.sha256),
    )


# Videos of the drawn world, in place of some of its pictures.


#: Redraws of a clip that an earlier split already has.
_ATTEMPTS = 100


def is_video(config: DrawnConfig, split: Split, index: int) -> bool:
    """Whether an item is a video; drawn apart, so that the item itself stays the same."""
    return random.Random(f"{config.seed}/{split}/{index}/video").random() < config.video_share


@dataclass(frozen=True)
class DrawnVideo:
    """A question on a clip, before its frames are stored. ``digest`` covers all frames."""

    id: str
    split: Split
    question: ClipQuestion
    frames: tuple[bytes, ...]
    side: int
    digest: bytes

    def stored(self, archive: PictureArchiveWriter) -> Seed:
        return Seed(
            id=self.id,
            split=self.split,
            question=self.question.question,
            answers=(self.question.answer,),
            pictures=tuple(
                archive.add(f"{self.id}/{at:02d}.png", data, self.side, self.side)
                for at, data in enumerate(self.frames)
            ),
            is_video=True,
            cue=FrameCue(frames=self.question.frames),
            subject=self.question.subject,
            kind=KIND,
            legible=False,
            provenance=Provenance(source="drawn", digest=self.digest.hex()),
        )


class DrawnVideos:
    """Draws the video items."""

    def __init__(self, config: DrawnConfig) -> None:
        self._config = config
        self._world = ClipWorld(config.clip)

    def seed(
        self, split: Split, index: int, digits: Digits, earlier: Collection[bytes]
    ) -> DrawnVideo:
        """The item's clip, not one of ``earlier``. ``DataError`` when there are too few."""
        rng = random.Random(f"{self._config.seed}/{split}/{index}/clip")
        for _ in range(_ATTEMPTS):
            clip = self._world.clip(rng)
            clip, question = with_clip_digit(clip, ask_clip(clip, rng), digits.next(KIND))
            frames = tuple(png(scene) for scene in clip.scenes())
            digest = hashlib.sha256(b"".join(hashlib.sha256(f).digest() for f in frames))
            if digest.digest() not in earlier:
                side = self._config.clip.side
                id = f"drawn-{split}-{index:06d}"
                return DrawnVideo(id, split, question, frames, side, digest.digest())
        raise DataError(
            f"the drawn world has too few clips to keep the splits apart: {_ATTEMPTS} drawn "
            f"for {split} item {index} were all in other splits; enlarge ingest.drawn.clip "
            "(frames, visits, longest), or lower video_share"
        )
