"""The section ``ingest``: where picture questions come from."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from pixel_core.config.drawn import DrawnConfig
from pixel_core.config.hub import HubConfig
from pixel_core.config.imported import ImportedConfig
from pixel_core.config.manifest import ManifestConfig
from pixel_core.config.near_duplicates import NearDuplicatesConfig
from pixel_core.config.pages import PagesConfig
from pixel_core.config.photos import PhotosConfig
from pixel_core.config.section import Section
from pixel_core.config.videos import VideosConfig

SourceName = Literal["drawn", "manifest", "hub", "photos", "pages", "videos", "imported"]


class IngestConfig(Section):
    #: Read in this order into one dataset.
    sources: Annotated[tuple[SourceName, ...], Field(min_length=1)] = ("drawn",)
    drawn: DrawnConfig = DrawnConfig()
    manifest: ManifestConfig = ManifestConfig()
    hub: HubConfig = HubConfig()
    photos: PhotosConfig = PhotosConfig()
    pages: PagesConfig = PagesConfig()
    videos: VideosConfig = VideosConfig()
    imported: ImportedConfig = ImportedConfig()
    #: Drawn scenes have their own exact check and are not compared.
    near_duplicates: NearDuplicatesConfig = NearDuplicatesConfig()

    @field_validator("sources", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """One name, or names with commas, as one types them on a command line."""
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len(set(self.sources)) < len(self.sources):
            raise ValueError(f"sources {self.sources} names one twice: name each once")
        return self

    def idle_fields(self) -> frozenset[str]:
        idle = set(get_args(SourceName)) - set(self.sources)
        return frozenset(idle | {"near_duplicates"} if self.sources == ("drawn",) else idle)
