"""Exports trajectories for other programs: a file of records beside their pictures.

    export.json          what was exported and, when done, the counts
    trajectories.jsonl   one record per line; text-only ones after the synthesised
    pictures/            the questions' pictures and frames, bytes unchanged
    crops/               what the zooms show, cropped from the pictures, PNG

An interrupted export resumes: pictures are named by their content, and lines that exist are
not written again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pixel_core.config import DialogueConfig
from pixel_core.data.exchange import records_chat, records_original
from pixel_core.data.exchange.conversation import Conversations, ConversationTurn
from pixel_core.data.exchange.job_folder import JobFolder
from pixel_core.data.exchange.media_folder import MediaFolder
from pixel_core.data.exchange.portable import Files, PortableMessage, PortableRecord, pack
from pixel_core.errors import DataError
from pixel_core.jsonl import RecordIndex
from pixel_core.media.archive import PictureArchive
from pixel_core.records import Annotation, Query, Seed, Trajectory, read_jsonl
from pixel_core.rollout.episode import RenderedPrompt
from pixel_core.rollout.operations import ShownPicture
from pixel_core.workflow.stage import Progress

Format = Literal["original", "chat"]
FORMATS: tuple[Format, ...] = ("original", "chat")

FILE = "trajectories.jsonl"

_DUMP: dict[Format, Callable[[PortableRecord], dict[str, Any]]] = {
    "original": records_original.dump,
    "chat": records_chat.dump,
}
_REPORT_EVERY = 20


@dataclass(frozen=True)
class ExportJob:
    """``inputs``: local folders of the stages ingest, annotate, synthesize and text_only.
    ``source``: JSON values that identify these artifacts."""

    inputs: Mapping[str, Path]
    dialogue: DialogueConfig
    format: Format
    source: Mapping[str, Any]

    def run(self, folder: Path, progress: Progress) -> dict[str, Any]:
        """Fill the folder, or resume filling it; returns counts.

        Raises ``DataError`` for a folder with other content, and for artifacts that do not
        belong together.
        """
        job = JobFolder(folder, "export", self._identity())
        done = job.open()
        if done is not None:
            progress.note(f"{folder} is complete already; nothing was written")
            return done
        total = sum(1 for _ in self._trajectories())
        path = self.inputs["annotate"] / "annotations.jsonl"
        annotations = RecordIndex(path, Annotation, lambda annotation: annotation.seed.id)
        writer = _RecordWriter(self, folder)
        with job.lines(FILE) as lines:
            if lines.count:
                progress.note(f"going on after {lines.count} trajectories of {total}")
            first = lines.count
            for number, trajectory in enumerate(self._trajectories()):
                if number < first:
                    continue
                record = writer.record(trajectory, _seed(trajectory, annotations))
                values = _DUMP[self.format](record)
                lines.add(json.dumps(values, ensure_ascii=False))
                if (number + 1) % _REPORT_EVERY == 0 or number + 1 == total:
                    progress.update(number + 1, total)
        counts = {"trajectories": total, "format": self.format}
        job.close(counts)
        return counts

    def _trajectories(self) -> Iterator[Trajectory]:
        for stage in ("synthesize", "text_only"):
            if stage in self.inputs:
                yield from read_jsonl(self.inputs[stage] / "trajectories.jsonl", Trajectory)

    def _identity(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "source": dict(self.source),
            # How calls are written and executed: an import needs the same.
            "dialogue": self.dialogue.model_dump(mode="json"),
        }


def _seed(trajectory: Trajectory, annotations: RecordIndex[Annotation]) -> Seed:
    """The trajectory's seed; a cue located by an annotator becomes its cue."""
    found = annotations.named(trajectory.seed_id)
    if not found:
        raise DataError(
            f"trajectory {trajectory.id} is about the seed {trajectory.seed_id!r}, which the "
            "annotate artifact lacks; run the pipeline again"
        )
    seed = found[0].seed
    return seed.model_copy(update={"cue": seed.cue or found[0].cue})


class _RecordWriter:
    def __init__(self, job: ExportJob, folder: Path) -> None:
        self._archive = PictureArchive(job.inputs["ingest"] / "pictures.zip")
        # The original has one part for a whole video; its frames have numbers of their own.
        self._video_parts = job.format == "original"
        self._conversations = Conversations(job.dialogue, frame_names=not self._video_parts)
        self._pictures = MediaFolder(folder, "pictures")
        self._crops = MediaFolder(folder, "crops")

    def record(self, trajectory: Trajectory, seed: Seed) -> PortableRecord:
        query = Query.from_seed(seed)
        images = [self._archive.load(picture) for picture in seed.pictures]
        opening = RenderedPrompt.of(query, images, self._conversations.prompts)
        messages, shown = self._conversations.of(trajectory, opening)
        paths = self._paths(seed, shown)
        frames = len(seed.pictures) if seed.is_video and self._video_parts else 0
        written = tuple(_portable(message, paths, frames) for message in messages)
        return PortableRecord(written, pack(trajectory, seed))

    def _paths(self, seed: Seed, shown: list[ShownPicture]) -> list[str]:
        """A file for each shown picture; a selected frame is the frame's own file."""
        own = []
        for picture in seed.pictures:
            suffix = PurePosixPath(picture.member).suffix
            own.append(self._pictures.add(self._archive.read(picture), suffix))
        later = []
        for view in shown[len(own) :]:
            source = seed.pictures[view.picture]
            whole = (0, 0, source.width, source.height)
            if seed.is_video and view.region.as_tuple() == whole:
                later.append(own[view.picture])
            else:
                later.append(self._crops.add(_png(view), ".png"))
        return own + later


def _portable(message: ConversationTurn, paths: list[str], frames: int) -> PortableMessage:
    """Replaces numbers by paths; the first ``frames`` pictures form one part, a video."""
    parts: list[str | Files] = []
    for part in message.parts:
        if isinstance(part, str):
            parts.append(part)
        elif part >= frames:
            parts.append(Files((paths[part],)))
        elif part == 0:
            parts.append(Files(tuple(paths[:frames]), video=True))
    return PortableMessage(message.role, tuple(parts))


def _png(picture: ShownPicture) -> bytes:
    out = io.BytesIO()
    picture.image.save(out, "PNG", compress_level=4)
    return out.getvalue()
