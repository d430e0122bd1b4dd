"""Renders pages with questions to pictures: FineWeb style.

The answer's box is read from the page itself. The artifact's key depends on the folder's
content and the settings, not on this machine's browser or fonts: pictures in the store are
used whatever machine made them. The browser's version is in each seed's provenance, and the
artifact's digest distinguishes other pictures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from pixel_core.config import PagesConfig
from pixel_core.data.faults import Problems
from pixel_core.data.sources.folder import Folder, FolderFile, is_hidden
from pixel_core.data.sources.pages.boxes import AnswerToFind
from pixel_core.data.sources.pages.browser import PageRenderer
from pixel_core.data.sources.pages.questions import PageEntry, read_entries
from pixel_core.data.sources.pages.rendering import Rendered
from pixel_core.data.sources.source import FoundSeed
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.media.picture_zip import PictureFault
from pixel_core.records import Box, Cue, Picture, Provenance, Seed

SOURCE = "pages"
KIND = "page"


class PagesSource:
    """A seed for every record, grouped by page in order of first mention. Records that share
    a page share a split."""

    def __init__(self, config: PagesConfig) -> None:
        """Raises ``DataError`` if ``config.path`` is not a folder."""
        self._config = config
        self._folder = Folder(config.path, setting="ingest.pages.path")
        self._incomplete = 0

    def fingerprint(self) -> dict[str, Any]:
        """Every file of the folder except hidden ones: a page may show any of them.

        Raises ``DataError`` with all faults of the records. Whether the answers are on their
        pages is checked during rendering, in ``seeds``.
        """
        digest = hashlib.sha256()
        for file in self._files.values():
            digest.update(f"{file.name}\0{self._folder.sha256(file)}\n".encode())
        return {"folder": digest.hexdigest(), "records": len(self._entries)}

    def total(self) -> int:
        return len(self._entries)

    def seeds(self, archive: PictureArchiveWriter) -> Iterator[FoundSeed]:
        """Raises ``DataError`` with every page that can't be rendered and every answer that is
        not found, after trying all pages; ``ConfigError`` without a browser."""
        self._incomplete = 0
        problems = Problems(f"the pages in {self._folder.url!r}")
        by_page: dict[str, list[PageEntry]] = {}
        for entry in self._entries:
            by_page.setdefault(entry.question.page, []).append(entry)
        stored: dict[str, Picture] = {}
        with PageRenderer(self._folder, self._config.width) as renderer:
            for page, entries in by_page.items():
                rendered = self._rendered(renderer, page, entries, problems)
                if rendered is None or problems.count:
                    continue  # the rest is only checked for faults
                self._incomplete += rendered.incomplete
                picture = _stored(rendered, stored, archive)
                for entry, box in zip(entries, rendered.places, strict=True):
                    assert isinstance(box, Box)  # else a problem was noted
                    seed = self._seed(entry, picture, box, renderer.version)
                    yield FoundSeed(seed, fixed=entry.question.split is not None)
        problems.raise_if_any()

    def counts(self) -> dict[str, int]:
        """``incomplete``: pages rendered without something they requested, because it is
        outside the folder or missing."""
        return {"incomplete": self._incomplete} if self._incomplete else {}

    @cached_property
    def _files(self) -> dict[str, FolderFile]:
        """By name, in order."""
        return {file.name: file for file in self._folder.files() if not is_hidden(file.name)}

    @cached_property
    def _entries(self) -> list[PageEntry]:
        return read_entries(self._folder, self._files, self._config.splits)

    def _rendered(
        self, renderer: PageRenderer, page: str, entries: list[PageEntry], problems: Problems
    ) -> Rendered | None:
        """The page with all its answers; None after a fault was noted."""
        questions = [entry.question for entry in entries]
        wanted = [AnswerToFind(question.answer, question.occurrence) for question in questions]
        before = problems.count
        try:
            rendered = renderer.render(page, wanted)
        except PictureFault as fault:
            place = questions[0].place
            problems.add(place, "page", page, fault.fault, fault.remedy)
            return None
        for question, found in zip(questions, rendered.places, strict=True):
            if isinstance(found, PictureFault):
                told = f"{found.fault} ({page})"
                problems.add(question.place, "answer", question.answer, told, found.remedy)
        return rendered if problems.count == before else None

    def _seed(self, entry: PageEntry, picture: Picture, box: Box, browser: str) -> Seed:
        question = entry.question
        return Seed(
            id=entry.id,
            split=entry.split,
            question=question.question,
            answers=(question.answer,),
            choices=question.choices,
            pictures=(picture,),
            cue=Cue(box=box),
            subject=question.subject,
            kind=KIND,
            provenance=Provenance(
                source=f"{SOURCE}:chromium-{browser}",
                revision=self._config.revision,
                licence=self._config.licence,
                digest=entry.digest,
            ),
        )


def _stored(
    rendered: Rendered, stored: dict[str, Picture], archive: PictureArchiveWriter
) -> Picture:
    """The page's picture in the archive; pages that look the same share one."""
    member = f"{SOURCE}-{hashlib.sha256(rendered.png).hexdigest()[:24]}.png"
    if member not in stored:
        stored[member] = archive.add(member, rendered.png, rendered.width, rendered.height)
    return stored[member]
