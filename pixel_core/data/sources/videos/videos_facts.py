"""What is to be known of a video before it is asked about: its content and its length."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from pixel_core.data.sources.folder import Folder
from pixel_core.errors import DataError, MediaError
from pixel_core.media.budget import check_shape
from pixel_core.media.video import VideoFile
from pixel_core.workflow.store.local_storage import file_content

#: Raised when what is remembered of a video changes in meaning.
_KIND = "video/3"


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """``fault`` is "" for a video that can be used, and then says nothing of the rest."""

    sha256: str = ""
    duration_s: float = 0.0
    fault: str = ""
    remedy: str = ""


def video_facts(folder: Folder, name: str) -> VideoFacts:
    """Read a video through and decode its first frame, unless it was looked at before and
    is the same still. Raises ``StorageError``."""
    try:
        listed = folder.find(name)
    except DataError as error:
        return VideoFacts(fault=f"is refused: {error}", remedy="name a file of the folder")
    if listed is None:
        return VideoFacts(
            fault=f"is not in {folder.url!r}", remedy="put the video there, or mend its name"
        )
    known = folder.memory.get(_KIND, folder.url, listed)
    if known is not None:
        return VideoFacts(**json.loads(known))
    try:
        with folder.local(name) as path:
            video = VideoFile(path, name=name)
            (first,) = video.frames_at([0])
            check_shape(first.width, first.height)
            facts = VideoFacts(file_content(path).sha256, video.duration_s)
    except (DataError, MediaError) as error:
        return VideoFacts(
            fault=f"is not usable: {error}", remedy="replace it, or leave its records out"
        )
    folder.memory.put(_KIND, folder.url, listed, json.dumps(asdict(facts)))
    return facts
