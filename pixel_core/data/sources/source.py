"""The interface of every source of seeds to ``ingest``, and the registry of sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pixel_core.config import IngestConfig, SourceName
from pixel_core.records import Seed

if TYPE_CHECKING:  # heavy, and a plan only needs fingerprints
    from pixel_core.media.archive import PictureArchiveWriter


@dataclass(frozen=True, slots=True)
class FoundSeed:
    """A seed as found by a source. ``fixed``: its split was stated, not drawn by its id, so
    it can't be moved to the split of a similar picture."""

    seed: Seed
    fixed: bool


class SeedSource(Protocol):
    """Created from its config section; the constructor runs the cheap checks."""

    def fingerprint(self) -> dict[str, Any]:
        """Identifies the content, wherever it is: JSON values for the artifact's key.

        Raises ``DataError`` with every fault found.
        """

    def total(self) -> int:
        """Upper bound of the number of seeds, for progress."""

    def seeds(self, archive: PictureArchiveWriter) -> Iterator[FoundSeed]:
        """Yield the seeds in a fixed order, storing their pictures; keeps none of them."""

    def counts(self) -> dict[str, int]:
        """After ``seeds``: omissions by reason, for the metrics ("too_small": 3)."""


@runtime_checkable
class TellsMore(Protocol):
    """A source that reports more about its omissions than counts."""

    def notes(self) -> list[str]:
        """After ``seeds``: sentences for the person watching the run."""


#: "module:class" of each; imported on use, because some need heavy packages.
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
    """The source of that name with its section's settings. Raises ``DataError`` if its
    input is missing."""
    module, _, kind = _PLACES[name].partition(":")
    return getattr(import_module(module), kind)(getattr(config, name))
