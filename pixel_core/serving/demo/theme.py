"""The page's looks: the report's colours and fonts of the visitor's own machine."""

from __future__ import annotations

import inspect
from typing import Any

from pixel_core.report.episodes.fragment import fragment_style
from pixel_core.report.html.templating import page_environment

#: Gradio's names of colours by the report's, which know light and dark themselves.
_COLOURS = {
    "body_background_fill": "var(--paper)",
    "body_text_color": "var(--ink)",
    "body_text_color_subdued": "var(--muted)",
    "background_fill_primary": "var(--card)",
    "background_fill_secondary": "var(--paper)",
    "block_background_fill": "var(--card)",
    "block_border_color": "var(--line)",
    "block_label_background_fill": "var(--card)",
    "block_label_text_color": "var(--muted)",
    "block_title_text_color": "var(--ink)",
    "border_color_accent": "var(--series-3)",
    "border_color_primary": "var(--line)",
    "button_primary_background_fill": "var(--series-3)",
    "button_primary_background_fill_hover": "var(--series-3)",
    "button_primary_text_color": "var(--card)",
    "button_secondary_background_fill": "var(--chip)",
    "button_secondary_background_fill_hover": "var(--line)",
    "button_secondary_text_color": "var(--ink)",
    "color_accent": "var(--series-3)",
    "input_background_fill": "var(--card)",
    "input_border_color": "var(--line)",
    "input_placeholder_color": "var(--muted)",
    "panel_background_fill": "var(--card)",
}


def theme() -> Any:
    """A Gradio theme that asks nobody for a font."""
    import gradio

    fonts = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Arial", "sans-serif")
    mono = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
    base = gradio.themes.Base(
        font=[gradio.themes.Font(name) for name in fonts],
        font_mono=[gradio.themes.Font(name) for name in mono],
        radius_size=gradio.themes.sizes.radius_lg,
    )
    names = inspect.signature(base.set).parameters
    dark = {f"{name}_dark": value for name, value in _COLOURS.items()}
    return base.set(**_COLOURS, **{name: dark[name] for name in dark if name in names})


def style() -> str:
    """CSS of the page: the viewer's, and what is around it."""
    own = page_environment("pixel_core.serving.demo").get_template("demo.css").render()
    return f"{fragment_style()}\n{own}"
