"""Requests kept as lines, so that whoever fetches a batch's answers knows what was asked."""

from __future__ import annotations

import json
import tempfile
import zlib
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from pixel_core.data.annotation.requests import AnnotationRequest, PictureView, RequestTask
from pixel_core.records import Box, Picture

#: Requests of one batch are much alike: this makes them a thirtieth.
_LEVEL = 6


class RequestPacker:
    """Packs requests one by one; holds only the packed bytes."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(_LEVEL)
        self._packed: list[bytes] = []

    def add(self, request: AnnotationRequest) -> None:
        self._packed.append(self._packer.compress(_line(request)))

    def packed(self) -> bytes:
        """Everything that was added; call it once, at the end."""
        self._packed.append(self._packer.flush())
        return b"".join(self._packed)


class KeptRequests:
    """A batch's requests by their place in it, unpacked into a nameless file: none is held."""

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
