"""The file a batch is handed in as, written a request at a time within its bounds."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from pixel_core.config.annotate import BatchConfig
from pixel_core.data.annotation.batch.batch_requests import RequestPacker
from pixel_core.data.annotation.requests import AnnotationRequest
from pixel_core.errors import ConfigError

#: Where a batch's requests go, as its lines name it.
ENDPOINT = "/v1/chat/completions"


class BatchInput:
    """Lines with ``custom_id`` = the request's digest, in a file that is gone afterwards."""

    def __init__(self, path: Path, config: BatchConfig) -> None:
        self.path = path
        self._config = config
        self._file = path.open("wb")
        self._packer = RequestPacker()
        self._bytes = 0
        self.count = 0

    def __enter__(self) -> BatchInput:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def add(self, digest: str, request: AnnotationRequest, body: dict[str, Any]) -> bool:
        """Write a request; False, with nothing written, when it does not fit any more.

        Raises ``ConfigError`` for one that does not fit into an empty file.
        """
        value = {"custom_id": digest, "method": "POST", "url": ENDPOINT, "body": body}
        line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
        config = self._config
        if self.count and self._bytes + len(line) > config.max_bytes:
            return False
        if len(line) > config.max_bytes:
            raise ConfigError(
                f"one request has {len(line):,} bytes with its pictures, over "
                f"annotate.openai.batch.max_bytes {config.max_bytes:,}; raise that, or lower "
                "annotate.openai.max_picture_pixels"
            )
        self._file.write(line)
        self._packer.add(request)
        self._bytes += len(line)
        self.count += 1
        return True

    @property
    def full(self) -> bool:
        return self.count >= self._config.max_requests

    def finish(self) -> bytes:
        """Complete the file; returns its requests, packed for the notes."""
        self._file.close()
        return self._packer.packed()
