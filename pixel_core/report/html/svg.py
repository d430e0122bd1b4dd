"""Matplotlib figures as inline SVG that follows the page's colours and font.

Output is deterministic: ids are salted with the chart's name, which also keeps several
charts on one page apart, and no date is written.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: Matplotlib colours that stand for the page's CSS variables, so that dark mode works.
INK, MUTED, GRID, BAD = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04"
SERIES = tuple(f"#0a0c{n:02x}" for n in range(1, 8))
_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--line", BAD: "--bad"} | {
    colour: f"--series-{n}" for n, colour in enumerate(SERIES, 1)
}

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FONT = re.compile(r"(font(?:-family)?:[^;]*?)'DejaVu Sans'[^;]*")
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, selectable, in the page's font
    "text.parse_math": False,  # a kind named "$x" is not a formula
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "ytick.major.size": 0,
    "path.simplify": True,
}


def css_colour(colour: str) -> str:
    """The CSS value that replaces a drawn colour."""
    return f"var({_VARIABLES[colour]})"


@contextmanager
def canvas(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure of ``width`` x ``height`` points in the page's style. Text created inside the
    block is plain text."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        yield figure, figure.add_subplot()


def inline(figure: Figure, name: str, label: str) -> Markup:
    """The figure as an ``<svg>`` element, safe to place in HTML.

    ``name`` must be unique on the page; ``label`` says in words what the chart shows.
    """
    out = io.BytesIO()
    with matplotlib.rc_context(_STYLE | {"svg.hashsalt": name}), warnings.catch_warnings():
        # Text stays text: glyphs missing here are left to the reader's browser.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(out.getvalue())
    for child in list(root):
        # The style element would affect the whole page, not only this chart.
        if child.tag == f"{{{_SVG}}}metadata" or child.find(f"{{{_SVG}}}style") is not None:
            root.remove(child)
    for element in root.iter():
        _rewrite(element, name)
    for size in ("width", "height"):
        root.attrib.pop(size)
    root.attrib |= {"class": "chart", "role": "img", "aria-label": label}
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    # Serialised from a tree, so all its texts and attributes are escaped.
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _rewrite(element: ElementTree.Element, name: str) -> None:
    for key, value in list(element.attrib.items()):
        if key == "id":
            value = f"{name}-{value}"
        elif key == f"{{{_XLINK}}}href" and value.startswith("#"):
            # HTML accepts the plain attribute; a prefix would only add bytes.
            del element.attrib[key]
            key, value = "href", f"#{name}-{value[1:]}"
        elif key in ("style", "clip-path"):
            value = _REFERENCE.sub(rf"url(#{name}-\1)", value)
            value = _FONT.sub(r"\1var(--sans)", value)
            for colour, variable in _VARIABLES.items():
                value = value.replace(colour, f"var({variable})")
        element.set(key, value)
