"""Pictures whose files stand in a table's cells."""

from __future__ import annotations

import base64
import binascii

from pixel_core.media.picture_fault import PictureFault
from pixel_core.media.picture_files import MAX_FILE_BYTES, PictureFile, embedded

_RESTORE = "restore the row as it was published"
_STARTS = ((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"), (b"RIFF", ".webp"))


def picture_in(cell: object) -> PictureFile:
    """Of a cell that holds a picture's file as bytes, as base64, or as ``datasets`` writes it
    ({"bytes", "path"}). Raises ``PictureFault`` for anything else."""
    if isinstance(cell, dict):
        cell = cell.get("bytes")
    if isinstance(cell, str):
        if len(cell) > MAX_FILE_BYTES:
            raise PictureFault(f"has {len(cell)} characters", f"keep it under {MAX_FILE_BYTES}")
        try:
            cell = base64.b64decode(cell, validate=True)
        except (binascii.Error, ValueError) as error:
            raise PictureFault(f"is not base64 ({error})", _RESTORE) from error
    if not isinstance(cell, bytes) or not cell:
        raise PictureFault("holds no picture", _RESTORE)
    suffix = next((suffix for start, suffix in _STARTS if cell.startswith(start)), "")
    return embedded(cell, f"picture{suffix}")
