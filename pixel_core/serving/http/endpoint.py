"""All parts of the endpoint put together around one model."""

from __future__ import annotations

from collections.abc import Callable

from pixel_core.config import DialogueConfig
from pixel_core.serving.conductor import Scheduler
from pixel_core.serving.http.admission import Limits
from pixel_core.serving.http.app import build_app
from pixel_core.serving.http.free_memory import FreeMemory
from pixel_core.serving.http.gate import AdmissionControl
from pixel_core.serving.http.hosted import ServedModel
from pixel_core.serving.http.metrics import Metrics
from pixel_core.serving.http.middleware import Access
from pixel_core.serving.http.origins import Origins, RootPath
from pixel_core.serving.http.server import Server
from pixel_core.serving.url_fetch import UrlLimits


class ChatEndpoint:
    """``name``: what clients call the model. ``dialogue``: how it is asked. ``origins``: of
    pages that may ask. ``root``: where a proxy puts it. ``say`` hears how the server stops.
    The conductor is the caller's to close, after the server has ended.

    Run ``server.serve([socket])`` in an event loop, with a socket of ``server.bind``.
    """

    def __init__(
        self,
        name: str,
        conductor: Scheduler,
        dialogue: DialogueConfig,
        access: Access,
        *,
        limits: Limits | None = None,
        urls: UrlLimits | None = None,
        origins: Origins | None = None,
        root: RootPath | None = None,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        limits = limits or Limits()
        self._memory = FreeMemory()
        self.gate = AdmissionControl(limits, self._memory.look)
        self.hosted = ServedModel(name, conductor, dialogue, limits, urls or UrlLimits())
        app = build_app(
            self.hosted,
            limits,
            access,
            self.gate,
            Metrics(),
            origins or Origins(),
            root or RootPath(),
        )
        self.server = Server(app, self.gate, limits, say)

    def close(self) -> None:
        """End the threads beside the server's."""
        self.hosted.close()
        self._memory.close()
