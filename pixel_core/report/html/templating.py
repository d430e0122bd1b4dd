"""Renders templates into pages."""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


def page_environment(*rooms: str) -> Environment:
    """The templates of ``rooms`` (packages with a folder ``templates``) and of this package.

    Every value is escaped, since model output is untrusted; a misspelled name in a template is
    an error.
    """
    return Environment(
        loader=ChoiceLoader(
            [PackageLoader(room) for room in (*rooms, "pixel_core.report.html")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
