"""What very large pictures took of the page's memory is given back to the system."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from demo_world import World, opened
from PIL import Image

from pixel_core.serving.demo.middleware import Uploads
from pixel_core.serving.http.free_memory import FreeMemory, resident

#: Of a picture of 100 MB decoded.
SIDE = 5000
#: Bytes that may stay.
LEFT = 100 << 20


@pytest.fixture
def world() -> Iterator[World]:
    with opened() as world:
        yield world


def test_each_request_is_followed_by_a_look_at_the_memory(world: World, tmp_path: Path) -> None:
    looks: list[str] = []
    world.demo.uploads = Uploads(tmp_path)
    world.demo.ended = lambda: looks.append("look")
    world.demo.show(None, 0)
    assert len(looks) == 1
    world.demo.show(str(tmp_path / "none.png"), None)
    assert len(looks) == 2, "a file that can't be read may have been large, too"
    list(world.demo.ask(None, 0, "which digit is on the red card?"))
    assert len(looks) == 3
    asking = world.demo.ask(None, 0, "which digit is on the red card?")
    next(asking)
    asking.close()
    assert len(looks) == 4, "a visitor who leaves leaves no picture behind"


@pytest.mark.slow
@pytest.mark.skipif(resident() == 0, reason="this system does not tell its memory")
def test_large_pictures_leave_no_memory_behind(tmp_path: Path) -> None:
    picture = tmp_path / "large.jpg"
    Image.radial_gradient("L").resize((SIDE, SIDE)).convert("RGB").save(picture, quality=50)
    with opened(pixels=SIDE * SIDE) as world, closing(FreeMemory()) as memory:
        world.demo.uploads = Uploads(tmp_path)
        world.demo.ended = memory.look
        before, peak = resident(), 0
        for _ in range(2):
            visits = [
                threading.Thread(target=world.demo.show, args=(str(picture), None))
                for _ in range(4)
            ]
            for visit in visits:
                visit.start()
            while any(visit.is_alive() for visit in visits):
                peak = max(peak, resident())
                time.sleep(0.01)
        deadline = time.monotonic() + 10
        while (after := resident()) > before + LEFT and time.monotonic() < deadline:
            time.sleep(0.1)
    assert peak > before + 2 * LEFT, "the pictures were not large"
    assert after < before + LEFT
