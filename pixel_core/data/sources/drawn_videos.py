"""Videos of the drawn world, in the place of some of its pictures."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection
from dataclasses import dataclass

from pixel_core.config import DrawnConfig
from pixel_core.data.sources.drawn import Digits
from pixel_core.errors import DataError
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.records import FrameCue, Provenance, Seed, Split
from pixel_core.tiny.clip import KIND, ClipQuestion, ClipWorld, ask_clip, with_clip_digit
from pixel_core.tiny.draw import png

#: Redraws of a clip that an earlier split already has.
_ATTEMPTS = 100


def is_video(config: DrawnConfig, split: Split, index: int) -> bool:
    """Whether an item is a video; drawn apart from the item, which stays what it is."""
    return random.Random(f"{config.seed}/{split}/{index}/video").random() < config.video_share


@dataclass(frozen=True)
class DrawnVideo:
    """A question on a clip, before its frames are stored. ``digest`` is of all of them."""

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
    """Draws the items that are videos."""

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
