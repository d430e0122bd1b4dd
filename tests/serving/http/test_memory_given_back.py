"""Very large pictures leave no memory behind, whether they were answered or refused."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image
from serving_world import MODEL, Running, asking, picture_part, serving

from pixel_core.serving.http.free_memory import resident

#: The most pixels that a request may have; 147 MB decoded.
SIDE = 7000
MEGABYTE = 1 << 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(resident() == 0, reason="this system does not tell its memory"),
]


@pytest.fixture
def endpoint() -> Iterator[Running]:
    with serving() as running:
        yield running


def question(file: bytes) -> dict[str, Any]:
    url = f"data:image/jpeg;base64,{base64.b64encode(file).decode()}"
    text = {"type": "text", "text": "What is the digit on the red card?"}
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": [picture_part(url), text]}],
    }


def settled(most: int) -> int:
    """The bytes in memory, once there are at most so many, or after some seconds."""
    deadline = time.monotonic() + 10
    while (now := resident()) > most and time.monotonic() < deadline:
        time.sleep(0.1)
    return now


def test_memory_is_given_back(endpoint: Running) -> None:
    out = io.BytesIO()
    Image.radial_gradient("L").resize((SIDE, SIDE)).convert("RGB").save(out, "JPEG", quality=60)
    whole = out.getvalue()
    cut = whole[: len(whole) // 2]
    endpoint.post(asking())
    before, peak = resident(), 0
    with ThreadPoolExecutor(8) as clients:
        for file, status in [(whole, 200), (cut, 400)] * 2:
            sent = [clients.submit(endpoint.post, question(file)) for _ in range(4)]
            while not all(one.done() for one in sent):
                peak = max(peak, resident())
                time.sleep(0.02)
            assert {one.result().status_code for one in sent} == {status}
    after = settled(before + 100 * MEGABYTE)
    assert peak > before + 200 * MEGABYTE, "the pictures were not large"
    assert after < before + 100 * MEGABYTE
