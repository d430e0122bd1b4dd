"""The journal of batches that are submitted and not fetched yet, so a kill loses none.

A submission's requests are noted before anything is sent, the file's id once it is uploaded,
the batch's id once it is created. Only an uploaded file can become a batch, and the batch
carries the submission's id. So after a kill at any moment it is known, or can be looked up,
whether a batch exists.
"""

from __future__ import annotations

import json
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Any

from pixel_core.data.annotation.requests import AnnotationRequest, PictureView, RequestTask
from pixel_core.errors import StorageError
from pixel_core.records import Box, Picture
from pixel_core.workflow.stage import Workspace
from pixel_core.workflow.store.layout import new_id

# Requests kept as lines, so that the run that fetches the answers knows the questions.


#: Requests of one batch are much alike: this compresses them to a thirtieth.
_LEVEL = 6


class RequestPacker:
    """Compresses requests one by one; holds only the packed bytes."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(_LEVEL)
        self._packed: list[bytes] = []

    def add(self, request: AnnotationRequest) -> None:
        self._packed.append(self._packer.compress(_line(request)))

    def packed(self) -> bytes:
        """All that was added; call it once, at the end."""
        self._packed.append(self._packer.flush())
        return b"".join(self._packed)


class KeptRequests:
    """A batch's requests by index, unpacked into an anonymous temporary file."""

    def __init__(self, packed: bytes) -> None:
        self._file = file = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._offsets = [0]
        unpacker = zlib.decompressobj()
        rest = packed
        while rest and not unpacker.eof:
            data = unpacker.decompress(rest, 1 << 20)
            rest = unpacker.unconsumed_tail
            base = file.tell()
            file.write(data)
            start = 0
            while (end := data.find(b"\n", start)) >= 0:
                start = end + 1
                self._offsets.append(base + start)

    def __enter__(self) -> KeptRequests:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, place: int) -> AnnotationRequest:
        self._file.seek(self._offsets[place])
        return _request(self._file.read(self._offsets[place + 1] - self._offsets[place]))

    def __iter__(self) -> Iterator[AnnotationRequest]:
        return (self[place] for place in range(len(self)))


def _line(request: AnnotationRequest) -> bytes:
    value = {
        "task": request.task.value,
        "messages": request.messages,
        "views": [
            {
                "picture": view.picture.model_dump(),
                "max_pixels": view.max_pixels,
                "region": view.region.as_tuple() if view.region else None,
            }
            for view in request.views
        ],
        "response_format": request.response_format,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "vote": request.vote,
    }
    return json.dumps(value).encode() + b"\n"


def _request(line: bytes) -> AnnotationRequest:
    value: dict[str, Any] = json.loads(line)
    views = (_view(view) for view in value.pop("views"))
    return AnnotationRequest(
        **{
            **value,
            "task": RequestTask(value["task"]),
            "messages": tuple(value["messages"]),
            "views": tuple(views),
        }
    )


def _view(value: dict[str, Any]) -> PictureView:
    region = value["region"]
    box = None
    if region is not None:
        x1, y1, x2, y2 = region
        box = Box(x1=x1, y1=y1, x2=x2, y2=y2)
    return PictureView(Picture(**value["picture"]), value["max_pixels"], box)


_PREFIX = "batch-"
_REQUESTS = ".requests"
_STATE = ".json"


@dataclass(frozen=True)
class Submission:
    """One batch from our side. ``file`` and ``batch`` are "" until they have ids."""

    id: str
    #: Where it was submitted, and for which model.
    base_url: str
    model: str
    requests: int
    #: Seconds since the epoch when it was noted.
    at: float
    file: str = ""
    batch: str = ""


class BatchNotes:
    """The submissions in a stage's shared notes. Write only while holding the notes."""

    def __init__(self, notes: Workspace) -> None:
        self._notes = notes

    def begin(self, base_url: str, model: str, requests: int, packed: bytes) -> Submission:
        """Note a submission's requests (see ``RequestPacker``) before anything is sent."""
        now = round(time.time(), 3)
        submission = Submission(new_id(), base_url, model, requests, now)
        self._notes.put(f"{_PREFIX}{submission.id}{_REQUESTS}", packed)
        self._write(submission)
        return submission

    def uploaded(self, submission: Submission, file: str) -> Submission:
        return self._write(replace(submission, file=file))

    def created(self, submission: Submission, batch: str) -> Submission:
        return self._write(replace(submission, batch=batch))

    def forget(self, submission: Submission) -> None:
        """Call when all of it is recorded, or none of it was sent."""
        # The state is deleted first: requests without a state are ignored.
        self._notes.delete(f"{_PREFIX}{submission.id}{_STATE}")
        self._notes.delete(f"{_PREFIX}{submission.id}{_REQUESTS}")

    def packed(self, submission: Submission) -> bytes:
        """The submission's requests. ``StorageError`` when they are damaged."""
        name = f"{_PREFIX}{submission.id}{_REQUESTS}"
        packed = self._notes.get(name)
        if packed is None:
            raise StorageError(
                f"the note {name} of batch {submission.batch or '(none)'} is missing or "
                "damaged, so its answers can't be told apart; restore it from a backup, or "
                f"delete {_PREFIX}{submission.id}{_STATE} beside it to ask again"
            )
        return packed

    def open(self) -> list[Submission]:
        """All open submissions, oldest first; removes half-written ones that a kill left."""
        names = [name for name in self._notes.names() if name.startswith(_PREFIX)]
        submissions = []
        for name in names:
            if not name.endswith(_STATE):
                continue
            data = self._notes.get(name)
            if data is None:
                raise StorageError(
                    f"the note {name} of a batch is damaged; restore it from a backup, or "
                    "delete it: what that batch was paid for is then asked again"
                )
            submissions.append(Submission(**json.loads(data)))
        known = {f"{_PREFIX}{submission.id}" for submission in submissions}
        for name in names:
            if name.endswith(_REQUESTS) and name.removesuffix(_REQUESTS) not in known:
                self._notes.delete(name)
        return sorted(submissions, key=lambda submission: (submission.at, submission.id))

    def _write(self, submission: Submission) -> Submission:
        data = json.dumps(asdict(submission)).encode()
        self._notes.put(f"{_PREFIX}{submission.id}{_STATE}", data)
        return submission
