"""``pixel demo``: a page where a model is asked, and watched while it answers.

What takes seconds to import is imported while a line says what is being waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from flows.cli.model import load_reasoner, request_of
from flows.cli.terminal import errors
from flows.consoles import plain_console
from pixel_core.config import PipelineConfig
from pixel_core.report.html.wording import MODEL_NAMES
from pixel_core.serving.http.origins import RootPath
from pixel_core.serving.http.server import bind

if TYPE_CHECKING:
    import socket

    from rich.status import Status

    from pixel_core.serving.media import MediaLimits
    from pixel_core.serving.reasoner import Reasoner

#: Bytes of a visitor's file. Frames of a video are held together, so they are bounded more.
UPLOAD = 50_000_000

#: The tiny model learns one world; what is outside it, it never saw.
_TINY = (
    "This model is tiny and knows only drawn cards. Ask which digit is on the red card, "
    "whether you can see the blue card, or how many cards there are."
)


@dataclass(frozen=True)
class DemoOptions:
    """The command line."""

    profile: str | None = None
    overrides: tuple[str, ...] = ()
    store: str | None = None
    model: str = "policy"
    base: str = ""
    host: str = "127.0.0.1"
    port: int = 7860
    root_path: str = ""
    examples: bool = True
    device: str = "cpu"


def serve_demo(wanted: DemoOptions) -> None:
    """Serve until Ctrl-C. Raises ``ConfigError`` for a taken port, ``DataError`` where there
    is no such model."""
    config = request_of(wanted).config()
    root = RootPath.of(wanted.root_path)
    with (
        bind(wanted.host, wanted.port) as bound,
        errors.status("loading the model") as wait,
        load_reasoner(wanted, config, limits=_limits()) as reasoner,
    ):
        wait.update("making the page")
        _serve(wanted, config, reasoner, bound, root, wait)


def _limits() -> MediaLimits:
    from pixel_core.media.video import VideoLimits
    from pixel_core.serving.media import MediaLimits

    video = VideoLimits(bytes=UPLOAD, pixels=2560 * 1440, seconds=1800, frames=200_000)
    return MediaLimits(bytes=UPLOAD, pixels=50_000_000, video=video)


def _serve(
    wanted: DemoOptions,
    config: PipelineConfig,
    reasoner: Reasoner,
    bound: socket.socket,
    root: RootPath,
    wait: Status,
) -> None:
    from pixel_core.serving.demo.examples import draw_examples
    from pixel_core.serving.demo.panels import Asker
    from pixel_core.serving.demo.server import Bounds, address, page_server
    from pixel_core.serving.demo.session import Demo

    named = wanted.model in MODEL_NAMES
    asker = Asker(
        model=wanted.model if named else "policy",
        name=MODEL_NAMES[wanted.model] if named else "The model",
        dialogue=reasoner.dialogue,
    )
    examples = draw_examples(config.ingest.drawn) if wanted.examples else []

    def ready() -> None:
        wait.stop()
        text = f"The page: {address(bound)}\nCtrl-C ends it."
        plain_console().print(Text(text), soft_wrap=True)

    with page_server(
        Demo(reasoner, asker, examples),
        bound,
        name=reasoner.name,
        hint=_TINY if named and config.base_model.source == "tiny" else "",
        bounds=Bounds(upload=UPLOAD),
        root=root,
        ready=ready,
    ) as server:
        server.serve_until_ended()
