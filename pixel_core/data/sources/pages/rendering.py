"""A Markdown text as a plain, readable HTML page."""

from __future__ import annotations

from importlib.resources import files

from pixel_core.nesting import TooDeep

#: Tables and fenced code as on GitHub; lists that don't run into one another.
_EXTENSIONS = ("tables", "fenced_code", "sane_lists")

#: Of lists and quotations in one another. The parser recurses, some frames for each.
_MAX_LEVELS = 40
_INDENT = 4


def html_of(text: str) -> str:
    """A whole document. HTML in the text stays as it is: what shows the page must not
    trust it more than any other page. ``TooDeep`` for a text that may nest deeper than
    ``_MAX_LEVELS``."""
    import markdown

    deepest = max(map(_levels, text.splitlines()), default=0)
    if deepest > _MAX_LEVELS:
        raise TooDeep(deepest, _MAX_LEVELS)
    body = markdown.markdown(text, extensions=list(_EXTENSIONS), output_format="html")
    style = files("pixel_core.data.sources").joinpath("pages_markdown.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html><head><meta charset="utf-8">\n'
        f"<style>\n{style}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _levels(line: str) -> int:
    """How deep a line may stand in lists and quotations."""
    begin = line.expandtabs(_INDENT)
    rest = begin.lstrip(" >")
    lead = begin[: len(begin) - len(rest)]
    return lead.count(">") + len(lead.replace(">", "")) // _INDENT
