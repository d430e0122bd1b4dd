"""How templates become pages."""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


def page_environment(*rooms: str) -> Environment:
    """The templates of ``rooms`` (packages with a folder ``templates``) and those of this one.

    Every value is escaped, since what models write is untrusted text; a name that a template
    misspells is an error.
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
