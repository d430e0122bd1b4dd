"""The questions of a split, with their pictures opened when asked for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pixel_core.errors import DataError
from pixel_core.media.archive import PictureArchive
from pixel_core.records import Query, Seed, Split, read_jsonl
from pixel_core.rollout.episode import RenderedPrompt
from pixel_core.rollout.renderer import Renderer


class QueryReader:
    """Opens queries on the ingest artifact's pictures. Picklable before first use."""

    def __init__(self, ingest: Path, prompts: Renderer) -> None:
        self._archive = PictureArchive(ingest / "pictures.zip")
        self._prompts = prompts

    def open(self, query: Query) -> RenderedPrompt:
        images = [self._archive.load(picture) for picture in query.pictures]
        return RenderedPrompt.of(query, images, self._prompts)


def read_queries(ingest: Path, split: Split) -> list[Query]:
    """The split's queries in the artifact's order; an empty split is an error."""
    return queries_of(read_jsonl(ingest / "seeds.jsonl", Seed), split, str(ingest))


def queries_of(seeds: Iterable[Seed], split: Split, source: str) -> list[Query]:
    queries = [Query.from_seed(seed) for seed in seeds if seed.split is split and seed.asks]
    if not queries:
        raise DataError(
            f"there is no {split} question in {source}: name a source that has some in "
            f"ingest.sources, or raise the {split} count or share of the one in use; to make "
            "only what needs none, end the run earlier with --until"
        )
    return queries
