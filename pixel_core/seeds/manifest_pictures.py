"""A manifest's pictures: found inside their folder, hashed and decoded once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from PIL import Image

from pixel_core.errors import MediaError
from pixel_core.seeds.problems import Problems
from pixel_core.vision.loading import load_picture

#: An encoded picture larger than this is refused before it is read.
MAX_FILE_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """``width`` and ``height`` are those of the loaded picture (EXIF orientation applied)."""

    path: Path
    sha256: str
    width: int
    height: int

    @property
    def member(self) -> str:
        """The name in the archive, from the content: a picture used twice is stored once."""
        return f"{self.sha256[:32]}{self.path.suffix.lower()}"


class Fault(Exception):
    """Why a picture can't be used: what is wrong with it, and the remedy."""

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(fault)
        self.fault = fault
        self.remedy = remedy


def locate(root: Path, written: str) -> Path:
    """The file a record names, resolved. Raises ``Fault`` unless it is inside ``root``."""
    parts = PurePosixPath(written)
    inside = "give a path inside the pictures folder (ingest.manifest.pictures)"
    if parts.is_absolute() or ".." in parts.parts or "\0" in written:
        raise Fault("is not a relative path inside the pictures folder", inside)
    try:
        path = (root / parts).resolve()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise Fault(f"can't be followed ({error})", inside) from error
    if not path.is_relative_to(root.resolve()):
        raise Fault("leads out of the pictures folder through a link", inside)
    if not path.is_file():
        raise Fault("is missing", f"put the picture at {root / parts}, or mend the path")
    return path


def inspect(path: Path, max_pixels: int) -> PictureFacts:
    """Hash and fully decode a picture. Raises ``Fault``.

    Remembered while the file keeps its size and time, so that planning and then running
    in one process decodes once.
    """
    status = path.stat()
    return _inspect(path, status.st_size, status.st_mtime_ns, max_pixels)


def inspect_all(
    uses: dict[Path, tuple[str, str]], max_pixels: int, problems: Problems
) -> dict[Path, PictureFacts]:
    """Inspect each picture once, on all cores (decoding releases the interpreter).

    ``uses`` gives for each path the (place, written value) of its first use, to which its
    fault is noted; a faulty picture is absent from the result.
    """

    def look(path: Path) -> PictureFacts | Fault:
        try:
            return inspect(path, max_pixels)
        except Fault as fault:
            return fault

    # Pillow loads its formats when first used, and not safely from several threads.
    Image.init()
    facts: dict[Path, PictureFacts] = {}
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        for path, found in zip(uses, pool.map(look, uses), strict=True):
            if isinstance(found, PictureFacts):
                facts[path] = found
            else:
                place, written = uses[path]
                problems.add(place, "image", written, found.fault, found.remedy)
    return facts


def digest_of(facts: Iterable[PictureFacts]) -> str:
    """One sha256 over the pictures' contents, in order."""
    total = hashlib.sha256()
    for fact in facts:
        total.update(bytes.fromhex(fact.sha256))
    return total.hexdigest()


@lru_cache(maxsize=200_000)
def _inspect(path: Path, size: int, mtime_ns: int, max_pixels: int) -> PictureFacts:
    if size > MAX_FILE_BYTES:
        raise Fault(f"has {size} bytes", f"keep pictures under {MAX_FILE_BYTES} bytes")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Fault(f"can't be read ({error.strerror})", "mend its permissions") from error
    try:
        image = load_picture(data, max_pixels=max_pixels, name=path.name)
    except MediaError as error:
        raise Fault(
            f"is not usable: {error}",
            "replace the picture, or leave the record out",
        ) from error
    return PictureFacts(path, hashlib.sha256(data).hexdigest(), image.width, image.height)
