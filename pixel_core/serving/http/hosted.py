"""The model behind the endpoint: from a request that is understood to a question for it.

Pictures are decoded in a few threads of their own, addresses are fetched in others, so that
neither a large picture nor a slow host keeps the event loop, or each other, waiting.
"""

from __future__ import annotations

from functools import partial

from pixel_core.config import DialogueConfig, SamplingConfig
from pixel_core.media.deadline import Deadline
from pixel_core.rollout.episode import RenderedPrompt
from pixel_core.serving.conductor import Scheduler
from pixel_core.serving.http.admission import Limits
from pixel_core.serving.http.chat_request import ChatRequest
from pixel_core.serving.http.errors import bad_request
from pixel_core.serving.http.gate import Slot
from pixel_core.serving.http.media_parts import bytes_of, images_of
from pixel_core.serving.http.model import Threads
from pixel_core.serving.question import Question, open_question
from pixel_core.serving.request_handle import RequestHandle
from pixel_core.serving.url_fetch import UrlLimits, is_url

#: Threads that wait for other hosts; they do nothing else.
_FETCHERS = 8


class ServedModel:
    """``name``: what the model is called here. ``dialogue``: as it is asked; with
    ``operations`` "none" no request gets any. ``urls``: which hosts may be fetched from.

    ``close`` ends the threads; the conductor is its owner's.
    """

    def __init__(
        self,
        name: str,
        conductor: Scheduler,
        dialogue: DialogueConfig,
        limits: Limits,
        urls: UrlLimits,
    ) -> None:
        self.name = name
        self._conductor = conductor
        self._dialogue = dialogue
        self._limits = limits
        self._urls = urls
        self._decoding = Threads(limits.decoders, "decoding")
        self._fetching = Threads(_FETCHERS, "fetching")

    @property
    def alive(self) -> bool:
        return self._conductor.alive

    def submit(self, question: Question) -> RequestHandle:
        return self._conductor.submit(question)

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
