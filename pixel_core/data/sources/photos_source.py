"""High-resolution pictures that nobody has asked anything about yet, as SA-1B is.

An annotator writes the questions. What a photo becomes follows from its content alone: a
copy of the folder elsewhere makes the same seeds, byte by byte.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from pixel_core.config import PhotosConfig
from pixel_core.data.faults import Problems
from pixel_core.data.sources.folder import Folder, FolderFile
from pixel_core.data.sources.folder_place import is_hidden
from pixel_core.data.sources.photos import SeenDigests
from pixel_core.data.sources.photos_facts import PhotoFacts, PhotoReader, is_picture
from pixel_core.data.sources.photos_others import told_of
from pixel_core.data.sources.source import FoundSeed
from pixel_core.errors import DataError, MediaError
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.media.budget import check_shape
from pixel_core.records import Provenance, Seed, Split

SOURCE = "photos"
KIND = "photo"

#: Decoding threads; each may hold one decoded picture (3 bytes a pixel).
_THREADS = 8

T = TypeVar("T")


class PhotosSource:
    """Seeds without questions, all of them for training, ordered by the files' names."""

    def __init__(self, config: PhotosConfig) -> None:
        """Raises ``DataError`` when ``config.path`` leads to no folder."""
        self._config = config
        self._folder = Folder(config.path, setting="ingest.photos.path")
        self._reader = PhotoReader(self._folder, config.max_picture_pixels)
        self._left_out: Counter[str] = Counter()

    def fingerprint(self) -> dict[str, Any]:
        """The pictures' contents in the order of their names; other files do not count.

        Every picture is decoded, but only once while it stays as it is. Raises
        ``DataError`` with every picture that can't be used, or when none can.
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
        """Picture files, those that will be left out included."""
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
        ``other_files``; those that are 0 are left out."""
        return {name: count for name, count in sorted(self._left_out.items()) if count}

    def notes(self) -> list[str]:
        """All that was left out, by kind; of hidden files alone nothing is said."""
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
        """Why the picture can't be used; "" for one that can, or that is left out anyway for
        being small."""
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
        """Each picture file with what ``work`` makes of it, in order; a few at a time are
        worked on in threads (reading and decoding release the interpreter)."""
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
