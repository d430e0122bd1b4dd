"""Imports trajectories from a file of records into a folder that the pipeline can read.

    import.json          what was imported and, when done, the counts and the rejects
    seeds.jsonl          the questions (records.Seed): source ``imported`` of ``ingest``
    trajectories.jsonl   records.Trajectory: ``synthesize.imported``
    pictures/            the questions' pictures and frames, by content
    profile.toml         the settings that use both

An interrupted import resumes after the last record that was processed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from pixel_core.config import DialogueConfig
from pixel_core.data.exchange import records_chat, records_original
from pixel_core.data.exchange.conversation import Conversations, ConversationTurn
from pixel_core.data.exchange.exporting import Format
from pixel_core.data.exchange.foreign_records import ForeignRecords, QuestionMedia
from pixel_core.data.exchange.job_folder import JobFolder
from pixel_core.data.exchange.media_folder import MediaFolder, place_of, read_inside
from pixel_core.data.exchange.portable import (
    Files,
    ImportRefusal,
    PortableMessage,
    PortableRecord,
    Rejected,
    unpack,
)
from pixel_core.data.exchange.record_lines import Unreadable, read_records
from pixel_core.data.exchange.told_results import check_ours
from pixel_core.errors import DataError, MediaError
from pixel_core.media.budget import check_shape
from pixel_core.media.loading import load_picture
from pixel_core.records import (
    FrameCue,
    Picture,
    Query,
    Record,
    Seed,
    Split,
    Trajectory,
    read_jsonl,
)
from pixel_core.rollout.episode import RenderedPrompt
from pixel_core.workflow.stage import Progress

SEEDS, TRAJECTORIES, PICTURES = "seeds.jsonl", "trajectories.jsonl", "pictures"

#: Raised when parsing changes: an import begun by an earlier version is not resumed.
_READING = 2
_LOOKED_AT = "looked_at.jsonl"
_LOAD: dict[Format, Callable[[Any], PortableRecord]] = {
    "original": records_original.load,
    "chat": records_chat.load,
}
_REPORT_EVERY = 20
#: Rejects that are described; the rest are counted.
_TOLD = 10


class LookedAt(Record):
    """The outcome of one record of the file."""

    trajectory: Trajectory | None = None
    seed: Seed | None = None
    rejected: ImportRefusal | None = None
    found: str = ""


@dataclass(frozen=True)
class ImportJob:
    """``media``: the folder of the paths. ``dialogue``: how calls are to be written."""

    source: Path
    format: Format
    media: Path
    dialogue: DialogueConfig

    def run(self, folder: Path, progress: Progress) -> dict[str, Any]:
        """Fill the folder, or resume filling it; returns counts, rejects by reason.

        Raises ``DataError`` for a folder with other content, for an unreadable file, and when
        no record is usable.
        """
        job = JobFolder(folder, "import", self._identity())
        done = job.open()
        if done is not None:
            progress.note(f"{folder} is complete already; nothing was written")
            return done
        total = sum(1 for _ in read_records(self.source))
        reader = _RecordReader(self, folder)
        if not (folder / _LOOKED_AT).exists():
            with job.lines(_LOOKED_AT) as lines:
                if lines.count:
                    progress.note(f"going on after {lines.count} records of {total}")
                first = lines.count
                for number, values in enumerate(read_records(self.source)):
                    if number < first:
                        continue
                    lines.add(reader.look_at(values).model_dump_json())
                    if (number + 1) % _REPORT_EVERY == 0 or number + 1 == total:
                        progress.update(number + 1, total)
        counts = self._finish(job, folder, progress)
        job.close(counts)
        (folder / _LOOKED_AT).unlink()
        return counts

    def _identity(self) -> dict[str, Any]:
        try:
            with self.source.open("rb") as data:
                digest = hashlib.file_digest(data, "sha256").hexdigest()
        except OSError as error:
            raise DataError(f"{self.source} can't be read ({error.strerror})") from error
        dialogue = self.dialogue.model_dump(mode="json")
        return {
            "format": self.format,
            "sha256": digest,
            "dialogue": dialogue,
            "reading": _READING,
        }

    def _finish(self, job: JobFolder, folder: Path, progress: Progress) -> dict[str, Any]:
        """Sort the processed records into their files; repeated trajectories are left out."""
        seeds: dict[bytes, bytes] = {}
        known: set[bytes] = set()
        kinds: Counter[str] = Counter()
        rejected: Counter[str] = Counter()
        for file in (SEEDS, TRAJECTORIES):  # restarted if an earlier run began it
            (folder / f"{file}.part").unlink(missing_ok=True)
        with job.lines(SEEDS) as seed_lines, job.lines(TRAJECTORIES) as lines:
            for number, one in enumerate(read_jsonl(folder / _LOOKED_AT, LookedAt), 1):
                reason, found = one.rejected, one.found
                if one.trajectory is not None and one.seed is not None:
                    name = _digest(one.trajectory.id)
                    # Of two trajectories with different cues the first one's cue is kept.
                    seed = _digest(one.seed.model_dump_json(exclude={"cue"}))
                    first = seeds.get(_digest(one.seed.id))
                    if name in known:
                        reason, found = ImportRefusal.REPEATED, one.trajectory.id
                    elif first not in (None, seed):
                        reason, found = (
                            ImportRefusal.EXTRA_DIFFERS,
                            f"two seeds {one.seed.id!r}",
                        )
                    else:
                        known.add(name)
                        kinds[one.trajectory.kind.value] += 1
                        lines.add(one.trajectory.model_dump_json())
                        if first is None:
                            seeds[_digest(one.seed.id)] = seed
                            seed_lines.add(one.seed.model_dump_json())
                if reason is not None:
                    rejected[reason.value] += 1
                    if rejected.total() <= _TOLD:
                        progress.note(f"record {number} left out, {reason}: {found}")
        if not known:
            raise DataError(f"no record of {self.source} can be imported: {dict(rejected)}")
        return {
            "trajectories": len(known),
            "seeds": len(seeds),
            "kinds": dict(sorted(kinds.items())),
            "rejected": dict(sorted(rejected.items())),
        }


class _RecordReader:
    """Parses records, and stores the pictures of the usable ones."""

    def __init__(self, job: ImportJob, folder: Path) -> None:
        self._load = _LOAD[job.format]
        self._media = job.media
        self._pictures = MediaFolder(folder, PICTURES)
        self._foreign = ForeignRecords(job.dialogue)
        self._conversations = Conversations(job.dialogue)

    def look_at(self, values: Any) -> LookedAt:
        try:
            if isinstance(values, Unreadable):
                raise Rejected(ImportRefusal.NOT_A_RECORD, values.fault)
            record = self._load(values)
            files = [file for message in record.asked() for file in message.files]
            if not files or not record.said():
                raise Rejected(ImportRefusal.NO_CONVERSATION, "no picture, or no answer")
            if record.extra:
                trajectory, seed = self._ours(record, files)
            else:
                trajectory, seed = self._theirs(record, files)
        except Rejected as reject:
            return LookedAt(rejected=reject.reason, found=reject.found)
        return LookedAt(trajectory=trajectory, seed=seed)

    def _ours(self, record: PortableRecord, files: list[Files]) -> tuple[Trajectory, Seed]:
        trajectory, seed = unpack(record.extra, record.said())
        paths = [path for file in files for path in file.paths]
        if len(paths) != len(seed.pictures):
            raise Rejected(
                ImportRefusal.PICTURE_COUNT,
                f"{len(paths)} pictures, the seed has {len(seed.pictures)}",
            )
        loaded = []
        for path, picture in zip(paths, seed.pictures, strict=True):
            data, suffix = read_inside(self._media, path)
            if hashlib.sha256(data).hexdigest() != picture.sha256:
                raise Rejected(
                    ImportRefusal.PICTURE_CHANGED, f"{path!r} is not what was exported"
                )
            loaded.append((data, suffix, _decoded(data, path)))
        _check_cue(seed, [image for *_, image in loaded])
        opening = RenderedPrompt.of(
            Query.from_seed(seed), [image for *_, image in loaded], self._conversations.prompts
        )
        try:
            messages, _ = self._conversations.of(trajectory, opening)
        except DataError as error:
            raise Rejected(ImportRefusal.CALL_REFUSED, str(error)) from error
        replayed = PortableRecord(tuple(_texts(message) for message in messages))
        check_ours(record.returned(), replayed.returned())
        pictures = tuple(self._kept(*one) for one in loaded)
        # Whatever the record says: a question that is trained on can't be a test question.
        return trajectory, seed.model_copy(update={"pictures": pictures, "split": Split.TRAIN})

    def _theirs(self, record: PortableRecord, files: list[Files]) -> tuple[Trajectory, Seed]:
        video = any(file.video for file in files)
        if video and len(files) > 1:
            raise Rejected(ImportRefusal.NO_CONVERSATION, "a video beside other pictures")
        loaded = []
        for file in files:
            for path in file.paths:
                data, suffix = read_inside(self._media, path)
                loaded.append((data, suffix, _decoded(data, path)))
        pictures = tuple(_record(*one) for one in loaded)
        media = QuestionMedia(pictures, tuple(image for *_, image in loaded), video)
        found = self._foreign.trajectory(record, media)
        for one in loaded:
            self._kept(*one)
        return found

    def _kept(self, data: bytes, suffix: str, image: Image.Image) -> Picture:
        self._pictures.add(data, suffix)
        return _record(data, suffix, image)


def _decoded(data: bytes, path: str) -> Image.Image:
    try:
        image = load_picture(data, name=path)
    except MediaError as error:
        raise Rejected(ImportRefusal.PICTURE_DAMAGED, str(error)) from error
    try:
        check_shape(image.width, image.height)
    except MediaError as error:
        raise Rejected(ImportRefusal.PICTURE_SHAPE, f"{path}: {error}") from error
    return image


def _texts(message: ConversationTurn) -> PortableMessage:
    """The message's text, without its pictures."""
    said = tuple(part for part in message.parts if isinstance(part, str))
    return PortableMessage(message.role, said)


def _check_cue(seed: Seed, images: Sequence[Image.Image]) -> None:
    """Raise ``Rejected`` for a cue outside the pictures it refers to."""
    cue, count = seed.cue, len(images)
    if isinstance(cue, FrameCue):
        inside = all(frame < count for frame in cue.frames)
    elif cue is None:
        return
    else:
        inside = cue.picture < count and (
            cue.box.x2 <= images[cue.picture].width and cue.box.y2 <= images[cue.picture].height
        )
    if not inside:
        raise Rejected(ImportRefusal.EXTRA_DIFFERS, f"the cue {cue} is not in its pictures")


def _record(data: bytes, suffix: str, image: Image.Image) -> Picture:
    digest = hashlib.sha256(data).hexdigest()
    member = f"{PICTURES}/{place_of(digest, suffix)}"
    return Picture(member=member, width=image.width, height=image.height, sha256=digest)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]
