"""A Markdown text as a plain, readable HTML page."""

from __future__ import annotations

from importlib.resources import files

#: Tables and fenced code as on GitHub; lists that don't run into one another.
_EXTENSIONS = ("tables", "fenced_code", "sane_lists")


def html_of(text: str) -> str:
    """A whole document. HTML in the text stays as it is: what shows the page must not
    trust it more than any other page."""
    import markdown

    body = markdown.markdown(text, extensions=list(_EXTENSIONS), output_format="html")
    style = files("pixel_core.seeds").joinpath("pages_markdown.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html><head><meta charset="utf-8">\n'
        f"<style>\n{style}</style></head>\n<body>\n{body}\n</body></html>\n"
    )
