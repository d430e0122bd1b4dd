"""An episode as a self-contained piece of HTML, for other tools' pages."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Environment

from pixel_core.report.episodes.episode_card import EpisodeCard
from pixel_core.report.episodes.gallery import Gallery
from pixel_core.report.html.templating import page_environment


def episode_fragment(card: EpisodeCard, gallery: Gallery, *, styled: bool = True) -> str:
    """The card with the pictures that ``gallery`` embeds: no script, no request.

    ``styled``: include the style, which affects nothing outside ``.viewer``; a page with
    several cards uses ``fragment_style`` once instead.
    """
    template = _environment().get_template("fragment.html.jinja")
    return template.render(card=card, embedded=gallery.embedded, styled=styled)


def fragment_style() -> str:
    """CSS of fragments; colours are the report's, as the page's custom properties."""
    return _environment().get_template("fragment.css").render()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return page_environment("pixel_core.report.episodes")
