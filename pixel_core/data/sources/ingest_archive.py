"""One archive of pictures for several sources."""

from __future__ import annotations

import hashlib
import zlib

from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.records import Picture


class SharedArchive(PictureArchiveWriter):
    """Takes a picture again that another source has stored under the same name."""

    def add(self, member: str, data: bytes, width: int, height: int) -> Picture:
        """As in the base; but a name is taken only for other content."""
        if member not in self or not self._holds(member, data):
            return super().add(member, data, width, height)
        digest = hashlib.sha256(data).hexdigest()
        return Picture(member=member, width=width, height=height, sha256=digest)

    def _holds(self, member: str, data: bytes) -> bool:
        assert self._zip is not None
        info = self._zip.NameToInfo[member]
        return info.file_size == len(data) and zlib.crc32(data) == info.CRC
