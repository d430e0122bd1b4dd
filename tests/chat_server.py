"""An OpenAI-compatible chat completion over real HTTP, with a real model behind it.

It does what servers do: it writes the messages out by the model's chat template, tokenises
that text as a whole with special tokens meant as such, and generates.
"""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from endpoint import FakeEndpoint, Reply, Seen, failure
from PIL import Image
from tiny_world import Tiny

from pixel_core.config import SamplingConfig
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.records import Box
from pixel_core.rollout.operations import ShownPicture
from pixel_core.rollout.transcript import Transcript, Visual

MODEL = "tiny"


class ChatServer:
    """``transcripts``: what each request was read as, in the order of arrival."""

    def __init__(self, world: Tiny) -> None:
        self.transcripts: list[Transcript] = []
        self._world = world
        self._engine = EmbeddedEngine(world.model, world.vocabulary)
        self._lock = threading.Lock()

    def __call__(self, seen: Seen, number: int) -> Reply:
        body = seen.body
        if body["model"] != MODEL:
            name = body["model"]
            return failure(404, f"The model `{name}` does not exist.", "model_not_found")
        transcript = self._read(body["messages"])
        sampling = SamplingConfig(temperature=body["temperature"], top_p=body["top_p"])
        with self._lock:
            self.transcripts.append(transcript)
            self._engine.forget()
            (said,) = self._engine.generate([transcript], sampling, body["max_tokens"])
        words = said.tokens[:-1] if said.finished else said.tokens
        message = {"role": "assistant", "content": self._world.vocabulary.decode(words)}
        finish = "stop" if said.finished else "length"
        usage = {"prompt_tokens": len(transcript), "completion_tokens": len(said.tokens)}
        choice = {"index": 0, "finish_reason": finish, "message": message}
        return Reply({"object": "chat.completion", "choices": [choice], "usage": usage})

    def _read(self, messages: list[dict[str, Any]]) -> Transcript:
        vocabulary, transcript, text = self._world.vocabulary, Transcript(), ""
        for message in messages:
            text += f"<|im_start|>{message['role']}\n"
            content = message["content"]
            if isinstance(content, str):
                content = [{"type": "text", "text": content}]
            for part in content:
                if part["type"] == "text":
                    text += part["text"]
                    continue
                transcript.append(vocabulary.encode(f"{text}<|vision_start|>"))
                visual = _visual(part["image_url"]["url"])
                transcript.append_visual(visual, vocabulary.image)
                text = "<|vision_end|>"
            text += "<|im_end|>\n"
        transcript.append(vocabulary.encode(f"{text}<|im_start|>assistant\n"))
        return transcript


@contextmanager
def serving(world: Tiny) -> Iterator[tuple[str, ChatServer]]:
    """The endpoint's base URL, and the server."""
    server = ChatServer(world)
    with FakeEndpoint(server) as endpoint:
        yield endpoint.url, server


def _visual(url: str) -> Visual:
    head, _, data = url.partition(",")
    assert head == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    width, height = image.size
    region = Box(x1=0, y1=0, x2=width, y2=height)
    return Visual(ShownPicture(image.convert("RGB"), image.size, region, 0))
