"""The real page at a real socket, with the tiny model that knows four episodes by heart."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from memorised import memorised

from pixel_core.models.engine import EmbeddedEngine
from pixel_core.serving.demo.examples import Example
from pixel_core.serving.demo.panels import Asker
from pixel_core.serving.demo.server import Bounds, PageServer, address, page_server
from pixel_core.serving.demo.session import Demo
from pixel_core.serving.http.origins import RootPath
from pixel_core.serving.http.server import bind
from pixel_core.serving.media import MediaLimits
from pixel_core.serving.question import Question
from pixel_core.serving.reasoner import Reasoner
from pixel_core.serving.request_handle import RequestHandle
from pixel_core.serving.scheduler import Scheduler

#: Of the four, by what the model does.
AT_ONCE, ZOOM, MENDED, VIDEO = range(4)

HOSTILE = "<img src=x onerror=document.title='owned'><b id=bold>{{value}}${7*7}</b>"

#: Small, so that an upload can be too large.
BOUNDS = Bounds(upload=2_000_000, uploads=9_000_000, at_once=4, waiting=8)


class TurnByTurn(EmbeddedEngine):
    """The real engine; while ``held``, it makes as many calls as are allowed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.allowed = threading.Semaphore(0)
        self.held = False

    def generate(self, *arguments: Any, **named: Any) -> Any:
        if self.held:
            assert self.allowed.acquire(timeout=30), "a test forgot to let the engine go on"
        return super().generate(*arguments, **named)

    def pause(self) -> None:
        self.allowed = threading.Semaphore(0)
        self.held = True

    def let_go(self) -> None:
        self.held = False
        self.allowed.release(100)


class Remembering(Scheduler):
    """The real scheduler, and the request handles it gave."""

    def __init__(self, engine: TurnByTurn) -> None:
        super().__init__(engine)
        self.handles: list[RequestHandle] = []

    def submit(self, question: Question) -> RequestHandle:
        self.handles.append(super().submit(question))
        return self.handles[-1]


def examples() -> list[Example]:
    """What the model knows, and one whose right answer is not harmless."""
    known = [
        Example(
            images=tuple(picture.image for picture in opening.shown),
            is_video=opening.query.is_video,
            question=opening.query.question,
            answer=turns[-1].removeprefix("\\boxed{").removesuffix("}"),
            kind="known",
            legible=number == AT_ONCE,
        )
        for number, (opening, turns) in enumerate(
            zip(memorised().openings, memorised().turns, strict=True)
        )
    ]
    first = known[AT_ONCE]
    trap = Example(first.images, False, first.question, HOSTILE, "trap", legible=True)
    return [*known, trap]


@dataclass
class World:
    demo: Demo
    engine: TurnByTurn
    scheduler: Remembering
    url: str = ""

    def both_given_up(self) -> None:
        """Wait until nobody waits for the last two questions any more."""
        deadline = time.monotonic() + 20
        while not all(handle.cancelled for handle in self.scheduler.handles[-2:]):
            assert time.monotonic() < deadline, "the questions go on with nobody there"
            time.sleep(0.01)


@contextmanager
def opened(pixels: int = 4_000_000) -> Iterator[World]:
    """``pixels``: of the largest picture."""
    tiny = memorised().world
    engine = TurnByTurn(tiny.model, tiny.vocabulary)
    dialogue = tiny.prompts.dialogue
    limits = MediaLimits(bytes=BOUNDS.upload, pixels=pixels)
    scheduler = Remembering(engine)
    with Reasoner(scheduler, dialogue, name="tiny", limits=limits) as reasoner:
        demo = Demo(reasoner, Asker("policy", "Policy", dialogue), examples())
        yield World(demo, engine, scheduler)
        engine.let_go()


def import_gradio() -> None:
    """While it is imported it parses its own source. Python 3.11 fails in that when garbage is
    collected at that moment and a finalizer's error is written down, which parses, too: what
    earlier tests of the process left goes first, and no more is collected on the way."""
    gc.collect()
    gc.disable()
    try:
        import gradio  # noqa: F401
    finally:
        gc.enable()


@contextmanager
def served(root: str = "") -> Iterator[World]:
    import_gradio()
    ready = threading.Event()
    with (
        opened() as world,
        bind("127.0.0.1", 0) as bound,
        page_server(
            world.demo,
            bound,
            name="tiny",
            hint=HOSTILE,
            bounds=BOUNDS,
            root=RootPath.of(root),
            ready=ready.set,
        ) as server,
    ):
        thread = threading.Thread(target=server.serve_until_ended)
        thread.start()
        try:
            assert ready.wait(30)
            world.url = address(bound)
            yield world
        finally:
            _end(server, thread)


def _end(server: PageServer, thread: threading.Thread) -> None:
    server.stop()
    thread.join(30)
    assert not thread.is_alive(), "the page did not end"
