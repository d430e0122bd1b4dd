"""What rendering pages needs, asked before a run begins."""

from __future__ import annotations

from pixel_core.config import PipelineConfig


def check(config: PipelineConfig) -> None:
    """Start the browser once when pages are ingested: without one, work on the other
    sources would be lost. Raises ``ConfigError``, or ``DataError`` without a folder."""
    if "pages" not in config.ingest.sources:
        return
    # Imported here: other sources' runs have no use for them.
    from pixel_core.data.sources.folder import Folder
    from pixel_core.data.sources.pages.pages_renderer import PageRenderer

    pages = config.ingest.pages
    with PageRenderer(Folder(pages.path, setting="ingest.pages.path"), pages.width):
        pass
