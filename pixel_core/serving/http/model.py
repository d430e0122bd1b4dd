"""Thread pool for blocking work; never delays exit.

The interpreter joins the standard library's pool at exit, whatever its threads are doing,
and a decoder can't be interrupted.
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

# A request's pictures and videos: their bytes and pixels. Runs in threads.


#: The request limits a video's bytes; this only rejects absurd lengths.
_VIDEO_S = 4 * 3600.0
_VIDEO_FRAMES = 500_000

#: The end of a data URL's head, which may hold a file name with commas; and how many
#: characters are searched for it.
_BASE64 = re.compile(r";\s*base64\s*,", re.IGNORECASE)
_LONGEST_HEAD = 1000

_STANDARD = bytes.maketrans(b"-_", b"+/")
_WHITE = b" \t\n\r\f\v"


def bytes_of(part: MediaPart, room: int, urls: UrlLimits) -> bytes:
    """The file in or behind an address, at most ``room`` bytes. The type stated in the
    address is ignored. Raises ``Refusal``."""
    if is_url(part.url):
        try:
            return fetch(part.url, replace(urls, bytes=min(urls.bytes, room)))
        except MediaError as error:
            raise bad_request(f"{part.param}: {error}", part.param, "invalid_url") from None
    address = part.url.partition("#")[0]  # the fragment is not data
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
    """Base64 as clients write it, converted to the standard form: no white space, the alphabet
    with ``+`` and ``/``, padded.

    Read as browsers do (WHATWG, Infra Standard, "forgiving-base64 decode", after the URL's
    percent signs are resolved), and also in the URL-safe alphabet. Invalid base64 is left for
    the decoder to refuse. Raises ``ValueError`` for non-ASCII letters and impossible lengths.
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
            pixels=room // limits.max_frames,  # all frames are held at once
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
    """A pool of ``count`` threads named ``name``; work runs in order of submission."""

    def __init__(self, count: int, name: str) -> None:
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._count = count
        for number in range(count):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    async def run(self, work: Callable[[], T], hold: Callable[[Future[T]], None]) -> T:
        """The work's result or exception. Cancelled while queued, it never starts; once started
        it goes on, and ``hold`` receives the future to track that."""
        future: Future[T] = Future()
        hold(future)
        self._work.put((future, work))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Work in progress is left alone."""
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
            del given, future, work  # else a picture stays until the next work


# The model behind the endpoint: turns a validated request into a question for it.
#
# Pictures are decoded in a few threads and URLs are fetched in others, so that neither a
# large picture nor a slow host blocks the event loop, or each other.


#: Threads used only to wait for other hosts.
_FETCHERS = 8


class ServedModel:
    """``name``: what clients call the model. ``dialogue``: its prompt settings; with
    ``operations`` "none" no request gets any. ``urls``: which hosts may be fetched from.

    ``close`` ends the threads; the caller closes the scheduler.
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
        """The question with its pictures prepared. Raises ``Refusal``, ``DataError`` if the
        pictures can't be shown or the question can't be put, and ``TimedOut``."""
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
        """The model's own settings, with the changes a request may make."""
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
