"""The page: examples, an upload, a question, and two columns that fill as the model thinks.

Browsers send no request to other hosts, and neither does the server.
Importing this imports Gradio.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import gradio as gr

from pixel_core.report.episodes.fragment import fragment_style
from pixel_core.report.html.templating import page_environment
from pixel_core.serving.demo.session import Demo, PageView

#: Longest question in characters; the model's own limit is in tokens.
_QUESTION = 2000
#: Seconds between clean-ups of uploads, and the age at which one is removed.
_CLEAN = (600, 3600)

Values = tuple[Any, ...]


def build(demo: Demo, *, name: str, hint: str, at_once: int, waiting: int) -> gr.Blocks:
    """``name``: of the model, ``hint``: what to ask it; both are shown. ``at_once``: questions
    answered together; ``waiting``: questions that may queue beyond these."""
    first = 0 if demo.examples else None
    begin = demo.show(None, first)
    with gr.Blocks(
        title="Pixel Reasoner", analytics_enabled=False, delete_cache=_CLEAN
    ) as page:
        _html(_top(name, hint))
        chosen = gr.State(first)
        with gr.Row():
            if demo.examples:
                examples = _examples(demo)
            upload = _upload(demo)
        with gr.Row(elem_id="asking"):
            question = _question(demo)
            ask = gr.Button("Ask", variant="primary", scale=1, min_width=110, elem_id="ask")
            stop = gr.Button("Stop", scale=1, min_width=80, elem_id="stop")
        notice = _html(begin.notice, "notice")
        with gr.Row(elem_classes="columns"):
            looking = _html(begin.looking or "", "looking")
            plain = _html(begin.plain or "", "plain")

        shown = [looking, plain, notice]
        events = _Events(demo)
        how: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        asking = gr.on(
            [ask.click, question.submit],
            events.ask,
            [upload, chosen, question],
            shown,
            concurrency_limit=at_once,
            **how,
        )
        stop.click(None, cancels=asking)
        upload.upload(events.uploaded, upload, [chosen, *shown], cancels=asking, **how)
        upload.clear(events.cleared, None, [chosen, *shown], cancels=asking, **how)
        if demo.examples:
            # A frame around an example would suggest that it is the one asked about.
            upload.upload(lambda: gr.Gallery(selected_index=None), None, examples, **how)
            changed = [upload, chosen, question, *shown]
            examples.select(events.picked, None, changed, cancels=asking, **how)
    page.queue(max_size=waiting, default_concurrency_limit=at_once, api_open=False)
    return page


class _Events:
    """What is done at each event, as values of the components that it changes."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo

    def ask(self, upload: str | None, chosen: int | None, question: str) -> Iterator[Values]:
        for view in self._demo.ask(upload, chosen, question):
            yield _values(view)

    def uploaded(self, upload: str | None) -> Values:
        return None, *_values(self._demo.show(upload, None))

    def cleared(self) -> Values:
        return None, *_values(self._demo.show(None, None))

    def picked(self, event: gr.SelectData) -> Values:
        chosen = int(event.index)
        example = self._demo.examples[chosen]
        return None, chosen, example.question, *_values(self._demo.show(None, chosen))


def _values(view: PageView) -> Values:
    return tuple(
        gr.skip() if html is None else html for html in (view.looking, view.plain, view.notice)
    )


def _html(value: str, name: str = "top") -> gr.HTML:
    # Gradio's own text style would override the viewer's, and clicks there need no event.
    return gr.HTML(value, elem_id=name, apply_default_css=False, js_on_load=None)


def _top(name: str, hint: str) -> str:
    template = page_environment("pixel_core.serving.demo").get_template("top.html.jinja")
    return template.render(name=name, hint=hint)


def _examples(demo: Demo) -> gr.Gallery:
    return gr.Gallery(
        [example.images[0] for example in demo.examples],
        label="Pictures it was never trained on",
        format="png",
        columns=len(demo.examples),
        rows=1,
        object_fit="contain",
        allow_preview=False,
        interactive=False,
        selected_index=0,
        buttons=[],
        scale=3,
        min_width=300,
        elem_id="examples",
    )


def _upload(demo: Demo) -> gr.File:
    return gr.File(
        label=f"{'Or a' if demo.examples else 'A'} picture or video of your own",
        # "file": Gradio checks only a name's ending, and says only that it is invalid. We
        # read a file by its content, and say why when it can't be read.
        file_types=["image", "video", "file"],
        height=150,
        scale=1,
        min_width=240,
        elem_id="upload",
    )


def _question(demo: Demo) -> gr.Textbox:
    return gr.Textbox(
        value=demo.examples[0].question if demo.examples else "",
        label="Question",
        placeholder="Ask something about the picture",
        max_length=_QUESTION,
        scale=6,
        min_width=240,
        elem_id="question",
    )


# The page's look: the report's colours, and fonts installed on the visitor's machine.


#: Gradio's colour names mapped to the report's, which handle light and dark themselves.
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
    """A Gradio theme that loads no fonts from the network."""
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
