"""Photos without questions as a source: read, deduplicated, and checked."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any, TypeVar

from PIL import Image

from pixel_core.config import PhotosConfig
from pixel_core.data.faults import Problems
from pixel_core.data.sources.folder import Folder, FolderFile, is_hidden
from pixel_core.data.sources.photos_others import told_of
from pixel_core.data.sources.source import FoundSeed
from pixel_core.errors import DataError, MediaError
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.media.budget import check_shape
from pixel_core.media.loading import FORMATS, SUFFIXES, load_picture
from pixel_core.media.picture_files import MAX_FILE_BYTES
from pixel_core.records import Provenance, Seed, Split

# The facts about a photo that decide whether it becomes a seed.


#: Raised when the meaning of the cached facts changes.
_VERSION = 2


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """``width`` and ``height`` are those of the upright picture. ``fault`` is "" for a
    usable picture; otherwise the other fields mean nothing."""

    sha256: str = ""
    width: int = 0
    height: int = 0
    #: The suffix that fits the content, whatever the file's name.
    suffix: str = ""
    fault: str = ""


def is_picture(name: str) -> bool:
    """Whether a file is a picture by its name; hidden files are not."""
    return not is_hidden(name) and PurePosixPath(name).suffix.lower() in SUFFIXES


class PhotoReader:
    """Reads and fully decodes photos; caches the facts with the folder."""

    def __init__(self, folder: Folder, max_pixels: int) -> None:
        self._folder = folder
        self._max_pixels = max_pixels
        self._kind = f"photo/{_VERSION}/{max_pixels}"

    def facts(self, file: FolderFile) -> PhotoFacts:
        """Cached if the file was read before. Raises ``StorageError``."""
        return self._known(file) or self.load(file)[0]

    def load(self, file: FolderFile) -> tuple[PhotoFacts, bytes]:
        """The facts and the bytes that they describe. Raises
        ``StorageError``."""
        if file.size > MAX_FILE_BYTES:
            return PhotoFacts(fault=f"has {file.size} bytes, over {MAX_FILE_BYTES}"), b""
        try:
            data = self._folder.read(file.name)
        except DataError as error:
            return PhotoFacts(fault=f"can't be read: {error}"), b""
        known = self._known(file)
        if known is None or known.sha256 != hashlib.sha256(data).hexdigest():
            known = _decoded(data, file.name, self._max_pixels)
            self._folder.memory.put(
                self._kind, self._folder.url, file, json.dumps(asdict(known))
            )
        return known, data

    def _known(self, file: FolderFile) -> PhotoFacts | None:
        text = self._folder.memory.get(self._kind, self._folder.url, file)
        return None if text is None else PhotoFacts(**json.loads(text))


def _decoded(data: bytes, name: str, max_pixels: int) -> PhotoFacts:
    digest = hashlib.sha256(data).hexdigest()
    try:
        image = load_picture(data, max_pixels=max_pixels, name=name)
    except MediaError as error:
        return PhotoFacts(sha256=digest, fault=f"is not usable: {error}")
    with Image.open(io.BytesIO(data), formats=FORMATS) as header:
        written = header.format or ""
    suffix = ".jpg" if written in ("JPEG", "MPO") else f".{written.lower()}"
    return PhotoFacts(digest, image.width, image.height, suffix)


#: Kilobytes of the table kept in memory; the rest is on disk.
_HELD = 32_768


class SeenDigests:
    """A set of digests in a private temporary file that vanishes with the process."""

    def __enter__(self) -> SeenDigests:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_HELD}"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def add(self, digest: str) -> bool:
        """Add a hexadecimal digest; returns whether it is new."""
        done = self._database.execute(
            "INSERT OR IGNORE INTO seen VALUES (?)", (bytes.fromhex(digest),)
        )
        return done.rowcount == 1


# High-resolution pictures without questions, such as SA-1B.
#
# An annotator writes the questions. A photo's seed depends on its content alone: a copy of
# the folder elsewhere makes the same seeds, byte for byte.


SOURCE = "photos"
KIND = "photo"

#: Decoding threads; each may hold one decoded picture (3 bytes a pixel).
_THREADS = 8

T = TypeVar("T")


class PhotosSource:
    """Seeds without questions, all of them for training, ordered by the files' names."""

    def __init__(self, config: PhotosConfig) -> None:
        """Raises ``DataError`` if ``config.path`` is not a folder."""
        self._config = config
        self._folder = Folder(config.path, setting="ingest.photos.path")
        self._reader = PhotoReader(self._folder, config.max_picture_pixels)
        self._left_out: Counter[str] = Counter()

    def fingerprint(self) -> dict[str, Any]:
        """The pictures' contents in the order of their names; other files do not count.

        Every picture is decoded once, and again only after a change. Raises ``DataError``
        with every unusable picture, or if none is usable.
        """
        problems = Problems(f"the folder of photos {self._folder.url!r}")
        digest = hashlib.sha256()
        count = large = 0
        for file, facts in self._ahead(self._reader.facts):
            if fault := self._fault(facts):
                _note(file, fault, problems)
                continue
            digest.update(bytes.fromhex(facts.sha256))
            count += 1
            large += self._is_large(facts)
        problems.raise_if_any()
        if not large:
            raise DataError(self._nothing(count))
        return {"pictures": digest.hexdigest(), "records": count}

    def total(self) -> int:
        """Picture files, including those that will be left out."""
        return sum(is_picture(name) for name, _ in self._folder.names())

    def seeds(self, archive: PictureArchiveWriter) -> Iterator[FoundSeed]:
        """Raises ``DataError`` for a picture that became unusable since it was checked."""
        self._left_out.clear()
        with SeenDigests() as seen:
            for file, (facts, data) in self._ahead(self._reader.load):
                if fault := self._fault(facts):
                    problems = Problems(f"the folder of photos {self._folder.url!r}")
                    _note(file, fault, problems)
                    problems.raise_if_any()
                if not self._is_large(facts):
                    self._left_out["too_small"] += 1
                elif not seen.add(facts.sha256):
                    self._left_out["same_again"] += 1
                else:
                    yield FoundSeed(self._seed(facts, data, archive), fixed=True)
        self._left_out["other_files"] = sum(1 for _ in self._others())

    def counts(self) -> dict[str, int]:
        """``too_small``, ``same_again`` (the content of an earlier file) and
        ``other_files``; zeros are left out."""
        return {name: count for name, count in sorted(self._left_out.items()) if count}

    def notes(self) -> list[str]:
        """All omissions, by kind; hidden files alone are not mentioned."""
        small, again = self._left_out["too_small"], self._left_out["same_again"]
        told = []
        if small:
            told.append(f"{small} with fewer than {self._config.min_pixels} pixels")
        if again:
            told.append(f"{again} with the content of an earlier one")
        if not all(map(is_hidden, self._others())):
            told.append(told_of(self._others()))
        if not told:
            return []
        return [f"left out of the photos in {self._folder.url}: {'; '.join(told)}"]

    def _others(self) -> Iterator[str]:
        return (name for name, _ in self._folder.names() if not is_picture(name))

    def _seed(self, facts: PhotoFacts, data: bytes, archive: PictureArchiveWriter) -> Seed:
        id = f"{SOURCE}-{facts.sha256[:24]}"
        return Seed(
            id=id,
            split=Split.TRAIN,
            question="",
            answers=(),
            pictures=(archive.add(f"{id}{facts.suffix}", data, facts.width, facts.height),),
            kind=KIND,
            provenance=Provenance(
                source=SOURCE,
                revision=self._config.revision,
                licence=self._config.licence,
                digest=facts.sha256,
            ),
        )

    def _fault(self, facts: PhotoFacts) -> str:
        """Why the picture can't be used; "" for one that can, or that is left out as too
        small anyway."""
        if facts.fault or not self._is_large(facts):
            return facts.fault
        try:
            check_shape(facts.width, facts.height)
        except MediaError as error:
            return f"can't be shown to a model: {error}"
        return ""

    def _is_large(self, facts: PhotoFacts) -> bool:
        return facts.width * facts.height >= self._config.min_pixels

    def _nothing(self, count: int) -> str:
        if not count:
            others = told_of(self._others())
            return (
                f"the folder of photos {self._folder.url!r} has no picture (.jpg, .png, "
                ".webp ...); set ingest.photos.path to one that has"
                + (f". It has {others}" if others else "")
            )
        return (
            f"all {count} photos in {self._folder.url!r} have fewer than "
            f"{self._config.min_pixels} pixels; lower ingest.photos.min_pixels"
        )

    def _ahead(self, work: Callable[[FolderFile], T]) -> Iterator[tuple[FolderFile, T]]:
        """Each picture file with the result of ``work``, in order; threads work a few files
        ahead (reading and decoding release the interpreter)."""
        threads = min(_THREADS, os.cpu_count() or 1)
        waiting: deque[tuple[FolderFile, Future[T]]] = deque()
        pool = ThreadPoolExecutor(threads, thread_name_prefix="photos")
        try:
            for file in self._folder.files():
                if not is_picture(file.name):
                    continue
                waiting.append((file, pool.submit(work, file)))
                if len(waiting) > threads:
                    first, done = waiting.popleft()
                    yield first, done.result()
            while waiting:
                first, done = waiting.popleft()
                yield first, done.result()
        finally:
            pool.shutdown(cancel_futures=True)
            self._folder.memory.flush()


def _note(file: FolderFile, fault: str, problems: Problems) -> None:
    problems.add("picture", "", file.name, fault, "replace the file, or take it away")
