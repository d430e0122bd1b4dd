"""What every source of seeds offers to ``ingest``, and where each is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pixel_core.config import IngestConfig, SourceName
from pixel_core.records import Seed

if TYPE_CHECKING:  # heavy, and a plan only asks for fingerprints
    from pixel_core.media.archive import PictureArchiveWriter


@dataclass(frozen=True, slots=True)
class FoundSeed:
    """A seed as a source has it. ``fixed``: its split was stated, not drawn by its id, so
    that it can't be moved to where a picture like its own already is."""

    seed: Seed
    fixed: bool


class SeedSource(Protocol):
    """Opened from its config section; opening it checks what can be checked cheaply."""

    def fingerprint(self) -> dict[str, Any]:
        """What the content is, wherever it lies: JSON values for the artifact's key.

        Raises ``DataError`` with every fault found.
        """

    def total(self) -> int:
        """How many seeds there are at most, for the progress."""

    def seeds(self, archive: PictureArchiveWriter) -> Iterator[FoundSeed]:
        """Yield the seeds in a fixed order, storing their pictures; holds none of them."""

    def counts(self) -> dict[str, int]:
        """After ``seeds``: what was left out and why, for the metrics ("too_small": 3)."""


@runtime_checkable
class TellsMore(Protocol):
    """A source that has more to say of what it left out than counts."""

    def notes(self) -> list[str]:
        """After ``seeds``: sentences for the person watching the run."""


#: "module:class" of each; imported when it is in use, for some stand on heavy packages.
_PLACES: dict[SourceName, str] = {
    "drawn": "pixel_core.data.sources.drawn:DrawnSource",
    "manifest": "pixel_core.data.sources.manifest.source:ManifestSource",
    "hub": "pixel_core.data.sources.hub:HubSource",
    "photos": "pixel_core.data.sources.photos:PhotosSource",
    "pages": "pixel_core.data.sources.pages.source:PagesSource",
    "videos": "pixel_core.data.sources.videos.source:VideosSource",
    "imported": "pixel_core.data.sources.imported_source:ImportedSource",
}


def open_source(name: SourceName, config: IngestConfig) -> SeedSource:
    """The source of that name with its section's settings. Raises ``DataError`` when what
    it reads is not there."""
    module, _, kind = _PLACES[name].partition(":")
    return getattr(import_module(module), kind)(getattr(config, name))
