"""One seed's annotation by a model: ask, record the answer, check it, ask again if useless."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import threading
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from PIL import Image

from pixel_core.annotation.openai_client import Endpoint, Reply, read_reply
from pixel_core.annotation.schema import Located, Unusable, read_answer, response_format
from pixel_core.config import OpenAIConfig
from pixel_core.errors import ConfigError
from pixel_core.records import Annotation, Picture, Seed
from pixel_core.stage import Workspace
from pixel_core.vision.archive import PictureArchive

#: Answers asked for one seed before it is dropped.
MAX_ASKS = 3

_JPEG_QUALITY = 95
#: Characters of a model's own text that go back to it when it is asked again.
_MAX_ECHO = 2000


class Dropped(StrEnum):
    """Why a seed has no annotation."""

    NOT_VALID = "not_valid"  #: the model says that the picture does not hold the evidence
    REFUSED = "refused"  #: the model would not answer, each time it was asked
    UNUSABLE = "unusable"  #: no answer could be used, each time it was asked


@dataclass(frozen=True)
class Outcome:
    """What became of a seed, and what it cost."""

    annotation: Annotation | None
    dropped: Dropped | None
    repaired: bool
    asks: int
    prompt_tokens: int
    completion_tokens: int
    #: Answers that were recorded by an earlier, interrupted run.
    remembered: int


class Annotator:
    """Asks an endpoint about seeds. Every answer is recorded before it is used, under the
    digest of its request, so that a run that was killed never pays for it again."""

    def __init__(
        self,
        config: OpenAIConfig,
        endpoint: Endpoint,
        archive: PictureArchive,
        work: Workspace,
    ) -> None:
        self._config = config
        self._endpoint = endpoint
        self._archive = archive
        self._work = work
        self._prompts = prompts_of(config.prompts.locate)
        self._format = response_format()
        self._reading = threading.Lock()
        # Pillow loads its formats when first used, and not safely from several threads.
        Image.init()

    def annotate(self, seed: Seed) -> Outcome:
        """Ask until an answer can be used, at most ``MAX_ASKS`` times."""
        messages = self._prompts.opening(seed)
        replies: list[Reply] = []
        remembered = 0
        located: Located | None = None
        dropped: Dropped | None = None
        for _ in range(MAX_ASKS):
            reply, was_recorded = self._reply(messages, seed)
            replies.append(reply)
            remembered += was_recorded
            try:
                located, dropped = _judge(reply, seed.pictures), None
                break
            except Unusable as fault:
                dropped = Dropped.REFUSED if reply.refusal else Dropped.UNUSABLE
                messages = [*messages, *self._prompts.again(reply, str(fault))]
        if located is None and dropped is None:
            dropped = Dropped.NOT_VALID
        return Outcome(
            annotation=None if located is None else self._annotation(seed, located),
            dropped=dropped,
            repaired=located is not None and located.repaired,
            asks=len(replies),
            prompt_tokens=sum(reply.prompt_tokens for reply in replies),
            completion_tokens=sum(reply.completion_tokens for reply in replies),
            remembered=remembered,
        )

    def _annotation(self, seed: Seed, located: Located) -> Annotation:
        if not seed.subject:
            seed = seed.model_copy(update={"subject": located.subject})
        return Annotation(
            seed=seed,
            cue=located.cue,
            author=f"openai:{self._config.model}@{self._config.prompts.locate}",
            whole_view=located.whole_view,
            local_view=located.local_view,
        )

    def _reply(self, messages: list[dict[str, Any]], seed: Seed) -> tuple[Reply, bool]:
        """The recorded reply to this request, or a new one, recorded first."""
        request = [self._config.model, self._config.max_picture_pixels, self._format, messages]
        digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        name = f"answer-{digest}.json"
        body = self._work.get(name)
        if body is not None:
            return read_reply(body), True
        body = self._endpoint.ask(self._with_pictures(messages, seed), self._format)
        self._work.put(name, body)
        return read_reply(body), False

    def _with_pictures(
        self, messages: list[dict[str, Any]], seed: Seed
    ) -> list[dict[str, Any]]:
        """The messages with the pictures themselves where their digests stood."""
        urls = {picture.sha256: self._data_url(picture) for picture in seed.pictures}
        filled = []
        for message in messages:
            content = message["content"]
            if isinstance(content, list):
                content = [
                    {"type": "image_url", "image_url": {"url": urls[part["sha256"]]}}
                    if part["type"] == "picture"
                    else part
                    for part in content
                ]
            filled.append({"role": message["role"], "content": content})
        return filled

    def _data_url(self, picture: Picture) -> str:
        with self._reading:
            image = self._archive.load(picture)
        scale = math.sqrt(self._config.max_picture_pixels / (image.width * image.height))
        if scale < 1:
            size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
            image = image.resize(size, Image.Resampling.BICUBIC)
        out = io.BytesIO()
        image.save(out, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def prompts_of(version: str) -> _Prompts:
    """The messages of a prompt version. ``ConfigError`` for one that does not exist."""
    return _Prompts(version)


class _Prompts:
    """The messages of a prompt version. ``ConfigError`` for one that does not exist."""

    def __init__(self, version: str) -> None:
        root = files("pixel_core.annotation").joinpath("prompts")
        known = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
        if version not in known:
            raise ConfigError(
                f"annotate.openai.prompts.locate {version!r} does not exist; known: "
                + ", ".join(known)
            )
        environment = Environment(undefined=StrictUndefined, autoescape=False)
        self._system, self._user, self._again = (
            environment.from_string(
                root.joinpath(version, f"{part}.jinja").read_text(encoding="utf-8")
            )
            for part in ("system", "user", "again")
        )

    def opening(self, seed: Seed) -> list[dict[str, Any]]:
        """The first messages; pictures stand as {"type": "picture", "sha256": ...}."""
        text = self._user.render(
            question=seed.question, choices=seed.choices, answer=seed.answers[0]
        )
        pictures = [{"type": "picture", "sha256": p.sha256} for p in seed.pictures]
        return [
            {"role": "system", "content": self._system.render()},
            {"role": "user", "content": [*pictures, {"type": "text", "text": text}]},
        ]

    def again(self, reply: Reply, fault: str) -> list[dict[str, Any]]:
        """What follows an answer that could not be used."""
        said = reply.content or reply.refusal or "(nothing)"
        return [
            {"role": "assistant", "content": said[:_MAX_ECHO]},
            {"role": "user", "content": self._again.render(fault=fault)},
        ]


def _judge(reply: Reply, pictures: tuple[Picture, ...]) -> Located | None:
    if reply.refusal:
        raise Unusable("it was refused")
    if reply.content is None:
        raise Unusable("it had no text")
    return read_answer(reply.content, pictures)
