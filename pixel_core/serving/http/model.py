"""Thread pool for blocking work; never delays exit.

The standard library joins its pool when the interpreter ends, whatever the threads are doing,
and a decoder cannot be interrupted.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import queue
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from PIL import Image

from pixel_core.config import DialogueConfig, SamplingConfig
from pixel_core.errors import MediaError
from pixel_core.media.deadline import Deadline
from pixel_core.media.video import VideoLimits
from pixel_core.rollout.episode import RenderedPrompt
from pixel_core.serving.http.admission import Limits, Slot
from pixel_core.serving.http.chat_request import ChatRequest
from pixel_core.serving.http.errors import Refusal, bad_request
from pixel_core.serving.http.messages import MediaPart
from pixel_core.serving.media import MediaLimits, read_media
from pixel_core.serving.question import Question, open_question
from pixel_core.serving.request_handle import RequestHandle
from pixel_core.serving.scheduler import Scheduler
from pixel_core.serving.url_fetch import UrlLimits, fetch, is_url

# A request's pictures and videos: their bytes, and the pixels in them. For threads.


#: A video's bytes are bounded by the request's; this only keeps out what states nonsense.
_VIDEO_S = 4 * 3600.0
_VIDEO_FRAMES = 500_000

#: The end of an address's head, which may hold a file's name with commas; and of how many
#: characters a head is looked for.
_BASE64 = re.compile(r";\s*base64\s*,", re.IGNORECASE)
_LONGEST_HEAD = 1000

_STANDARD = bytes.maketrans(b"-_", b"+/")
_WHITE = b" \t\n\r\f\v"


def bytes_of(part: MediaPart, room: int, urls: UrlLimits) -> bytes:
    """The file that an address holds or leads to, of ``room`` bytes at most. What an address
    says of the file's type is not believed. Raises ``Refusal``."""
    if is_url(part.url):
        try:
            return fetch(part.url, replace(urls, bytes=min(urls.bytes, room)))
        except MediaError as error:
            raise bad_request(f"{part.param}: {error}", part.param, "invalid_url") from None
    address = part.url.partition("#")[0]  # what follows is of the page, not of the data
    found = _BASE64.search(address[:_LONGEST_HEAD])
    comma = found.end() if found else address.find(",") + 1
    head, data = address[: max(comma - 1, 0)], address[comma:]
    if not comma or not head.lower().startswith("data:"):
        raise bad_request(
            f"{part.param} begins with {part.url[:10]!r}: send the file itself, as "
            "data:image/png;base64,..., or an address of a host that the server allows",
            part.param,
            "invalid_url",
        )
    if "base64" not in [word.strip() for word in head.lower().split(";")[1:]]:
        raise bad_request(
            f"{part.param} holds no base64: write data:image/png;base64,...",
            part.param,
            "invalid_base64",
        )
    try:
        held = base64_text(data)
    except ValueError as error:
        raise bad_request(
            f"{part.param} is no base64: {error}; encode the file's bytes again",
            part.param,
            "invalid_base64",
        ) from None
    if len(held) // 4 * 3 > room + 2:
        raise Refusal(
            413,
            f"{part.param}: the pictures of a request are larger than is allowed in all; "
            f"{room:,} bytes were left for this one",
            code="image_too_large",
            param=part.param,
        )
    try:
        return base64.b64decode(held, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(
            f"{part.param} is no base64: {error}; encode the file's bytes again",
            part.param,
            "invalid_base64",
        ) from None


def base64_text(data: str) -> bytes:
    """Base64 as clients write it, in the standard form: without white space, in the alphabet of
    ``+`` and ``/``, padded.

    As browsers read it (WHATWG, Infra Standard, "forgiving-base64 decode", after the URL's
    percent signs are resolved), and the URL-safe alphabet too. What is no base64 at all stays
    for the decoder to refuse. Raises ``ValueError`` for letters beyond ASCII and for a length
    that no bytes have.
    """
    if not data.isascii():
        raise ValueError("it holds characters beyond ASCII")
    text = data.encode()
    if b"%" in text:
        text = unquote_to_bytes(text)
    text = text.translate(_STANDARD, _WHITE).rstrip(b"=")
    if len(text) % 4 == 1:
        raise ValueError(f"{len(text):,} characters can't be whole bytes: some are missing")
    return text + b"=" * (-len(text) % 4)


def images_of(
    media: Sequence[MediaPart], files: Sequence[bytes], limits: Limits, deadline: Deadline
) -> list[Image.Image]:
    """The pictures, or the video's frames: RGB, upright, within ``limits.max_pixels`` in all.
    Raises ``Refusal``, and ``TimedOut`` as ``read_media``."""
    images: list[Image.Image] = []
    for part, file in zip(media, files, strict=True):
        room = limits.max_pixels - sum(image.width * image.height for image in images)
        try:
            images += _decoded(part, file, limits, max(room, 1), deadline)
        except MediaError as error:
            raise bad_request(f"{part.param}: {error}", part.param, "invalid_image") from None
    return images


def _decoded(
    part: MediaPart, file: bytes, limits: Limits, room: int, deadline: Deadline
) -> tuple[Image.Image, ...]:
    video = part.kind == "video"
    bounds = MediaLimits(
        bytes=len(file),
        pixels=room,
        frames=limits.max_frames,
        video=VideoLimits(
            bytes=len(file),
            pixels=room // limits.max_frames,  # so many of them are held at once
            seconds=_VIDEO_S,
            frames=_VIDEO_FRAMES,
        ),
    )
    if not file:
        raise MediaError("it is empty: send the file's bytes in base64")
    seen = read_media(
        file, video=video, frames=limits.max_frames, limits=bounds, deadline=deadline
    )
    return seen.images


T = TypeVar("T")

_Work = tuple[Future[Any], Callable[[], Any]]


class Threads:
    """``count`` of them, named ``name``; they do what they are given in its order."""

    def __init__(self, count: int, name: str) -> None:
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._count = count
        for number in range(count):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    async def run(self, work: Callable[[], T], hold: Callable[[Future[T]], None]) -> T:
        """What it returns or raises. Given up in the line, it is not begun; begun, it goes on,
        and who has to know gets it (``hold``)."""
        future: Future[T] = Future()
        hold(future)
        self._work.put((future, work))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """What is under way is left alone."""
        for _ in range(self._count):
            self._work.put(None)

    def _run(self) -> None:
        while (given := self._work.get()) is not None:
            future, work = given
            if future.set_running_or_notify_cancel():
                try:
                    result = work()
                except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                    future.set_exception(error)
                else:
                    future.set_result(result)
                    del result
            del given, future, work  # or a picture stays until the next work comes


# The model behind the endpoint: from a request that is understood to a question for it.
#
# Pictures are decoded in a few threads of their own, addresses are fetched in others, so that
# neither a large picture nor a slow host keeps the event loop, or each other, waiting.


#: Threads that wait for other hosts; they do nothing else.
_FETCHERS = 8


class ServedModel:
    """``name``: what the model is called here. ``dialogue``: as it is asked; with
    ``operations`` "none" no request gets any. ``urls``: which hosts may be fetched from.

    ``close`` ends the threads; the scheduler is its owner's.
    """

    def __init__(
        self,
        name: str,
        scheduler: Scheduler,
        dialogue: DialogueConfig,
        limits: Limits,
        urls: UrlLimits,
    ) -> None:
        self.name = name
        self._scheduler = scheduler
        self._dialogue = dialogue
        self._limits = limits
        self._urls = urls
        self._decoding = Threads(limits.decoders, "decoding")
        self._fetching = Threads(_FETCHERS, "fetching")

    @property
    def alive(self) -> bool:
        return self._scheduler.alive

    def submit(self, question: Question) -> RequestHandle:
        return self._scheduler.submit(question)

    def close(self) -> None:
        for threads in (self._decoding, self._fetching):
            threads.close()

    async def open(self, asked: ChatRequest, seconds: float, place: Slot) -> Question:
        """The question with its pictures ready to be shown. Raises ``Refusal``, ``DataError``
        for what can't be shown or put, and ``TimedOut``."""
        deadline = Deadline.within(seconds)
        dialogue = self._dialogue_of(asked)
        files: list[bytes] = []
        for part in asked.media:
            room = self._limits.max_picture_bytes - sum(map(len, files))
            threads = self._fetching if is_url(part.url) else self._decoding
            work = partial(bytes_of, part, room, self._urls)
            files.append(await threads.run(work, place.hold))
        opening = await self._decoding.run(
            partial(self._opened, asked, files, dialogue, deadline), place.hold
        )
        sampling = SamplingConfig(temperature=asked.temperature, top_p=asked.top_p)
        return Question(opening, dialogue, sampling, asked.seed, seconds)

    def _opened(
        self,
        asked: ChatRequest,
        files: list[bytes],
        dialogue: DialogueConfig,
        deadline: Deadline,
    ) -> RenderedPrompt:
        return open_question(
            images_of(asked.media, files, self._limits, deadline),
            asked.question,
            dialogue,
            is_video=asked.media[0].kind == "video",
            choices=asked.choices,
        )

    def _dialogue_of(self, asked: ChatRequest) -> DialogueConfig:
        """The model's own, with what the request may change of it."""
        changes: dict[str, object] = {}
        if asked.operations is False:
            changes["operations"] = "none"
        elif asked.operations and self._dialogue.operations == "none":
            raise bad_request(
                "this server runs the model without operations: leave pixel.operations out",
                "pixel.operations",
            )
        if asked.max_new_tokens is not None:
            # The client's bound can only lower ours.
            most = min(asked.max_new_tokens, self._dialogue.max_new_tokens)
            changes["max_new_tokens"] = most
        return self._dialogue.model_copy(update=changes)
