"""A request's messages, turned into the single question that the model is trained to answer.

The model answers each question in an episode of its own, without an earlier conversation. So
there is one user message. System messages are put before the question, since the model's own
system turn is part of its training. Pictures come first, in order, and the text after them:
text between two pictures is refused rather than moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from pixel_core.serving.http.admission import Limits
from pixel_core.serving.http.errors import bad_request

_SYSTEM = ("system", "developer")
#: The forms of a part's address: the key that holds it, and its other allowed keys.
_MEDIA: dict[str, tuple[str, ...]] = {"image_url": ("url", "detail"), "video_url": ("url",)}


@dataclass(frozen=True)
class MediaPart:
    """A picture or video by its URL, which may be a ``data:`` URL."""

    kind: Literal["picture", "video"]
    url: str
    #: Its place in the request, for errors.
    param: str


@dataclass(frozen=True)
class UserMessage:
    question: str
    media: tuple[MediaPart, ...]
    ignored: tuple[str, ...]


def read_messages(messages: Sequence[Any], limits: Limits) -> UserMessage:
    """The question and its pictures. Raises ``Refusal`` 400 for unsupported messages."""
    before: list[str] = []
    found: _Content | None = None
    ignored: set[str] = set()
    for number, message in enumerate(messages):
        place = f"messages[{number}]"
        role = _role(message, place)
        if message.get("name") is not None:
            ignored.add("messages.name")
        if role in _SYSTEM:
            if found is not None:
                _refuse(f"{place}: a system message comes before the question", place)
            before.append(_system_text(message["content"], place))
        elif found is not None:
            _refuse(
                f"{place}: there is one user message, the question; each question is an "
                "episode of its own, so send it alone",
                place,
                "unsupported_history",
            )
        else:
            found = _Content(message["content"], f"{place}.content")
    if found is None:
        _refuse("there is no user message: put the question into one", "messages")
    question = found.question
    if not question.strip():
        _refuse("there is no question: add a part of type text", "messages")
    text = "\n\n".join([*(one for one in before if one.strip()), question])
    _check_text(text, limits)
    _check_media(found.media, limits)
    return UserMessage(text, tuple(found.media), tuple(sorted(ignored)))


def _role(message: Any, place: str) -> str:
    if not isinstance(message, dict) or "role" not in message or "content" not in message:
        _refuse(f"{place} is no object with role and content", place)
    role = message["role"]
    if role not in ("user", *_SYSTEM):
        _refuse(
            f"{place}.role is {str(role)[:40]!r}: user asks the question, system comes before "
            "it; earlier turns are not supported, each question is an episode of its own",
            f"{place}.role",
            "unsupported_history",
        )
    for key in message:
        if key not in ("role", "content", "name"):
            _refuse(f"{place} has {key[:40]!r}, which has no meaning here", place)
    return role


def _system_text(content: Any, place: str) -> str:
    read = _Content(content, f"{place}.content")
    if read.media:
        _refuse(f"{place}: pictures belong to the user message", f"{place}.content")
    return read.question


class _Content:
    """A message's content: text, or a list of parts."""

    def __init__(self, content: Any, place: str) -> None:
        self.media: list[MediaPart] = []
        self._texts: list[str] = []
        #: Text, pictures, text is fine; a picture after the second text is not.
        self._text_after_media = False
        if isinstance(content, str):
            self._texts.append(content)
            return
        if not isinstance(content, list) or not content:
            _refuse(f"{place} is neither a text nor a list of parts", place)
        for number, part in enumerate(content):
            self._add(part, f"{place}[{number}]")

    @property
    def question(self) -> str:
        return "\n".join(self._texts)

    def _add(self, part: Any, place: str) -> None:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text":
            self._add_text(part, place)
        elif isinstance(kind, str) and kind in _MEDIA:
            self._add_media(part, kind, place)
        else:
            _refuse(
                f"{place}.type is {str(kind)[:40]!r}: parts are text, image_url or video_url",
                f"{place}.type",
                "unsupported_content",
            )

    def _add_text(self, part: dict[str, Any], place: str) -> None:
        text = part.get("text")
        if not isinstance(text, str) or set(part) != {"type", "text"}:
            _refuse(f"{place}: a text part is its type and its text", place)
        self._text_after_media |= bool(self.media and text.strip())
        self._texts.append(text)

    def _add_media(self, part: dict[str, Any], kind: str, place: str) -> None:
        held = part.get(kind)
        if isinstance(held, str):  # as Mistral's clients write it
            held = {"url": held}
        url = held.get("url") if isinstance(held, dict) else None
        if not isinstance(held, dict) or not isinstance(url, str) or len(part) != 2:
            _refuse(f'{place}: write {{"type": "{kind}", "{kind}": {{"url": ...}}}}', place)
        if strange := set(held) - set(_MEDIA[kind]):
            _refuse(f"{place}.{kind} has {min(strange)[:40]!r}, which has no meaning", place)
        if held.get("detail") not in (None, "auto", "high"):
            _refuse(
                f"{place}: detail must be auto or high: how much of a picture the model sees "
                "is part of what it was trained on",
                f"{place}.{kind}.detail",
            )
        if self._text_after_media:
            _refuse(
                f"{place}: there is text between two pictures; pictures are shown first and "
                "the text after them, so put all text before or after the pictures",
                place,
                "unsupported_content",
            )
        what: Literal["picture", "video"] = "picture" if kind == "image_url" else "video"
        self.media.append(MediaPart(what, url.strip(), f"{place}.{kind}.url"))


def _check_text(text: str, limits: Limits) -> None:
    if len(text) > limits.max_text:
        _refuse(
            f"the text has {len(text):,} characters, allowed are {limits.max_text:,}",
            "messages",
            "string_above_max_length",
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        _refuse("the text holds half a character (a surrogate)", "messages")


def _check_media(media: Sequence[MediaPart], limits: Limits) -> None:
    videos = [part for part in media if part.kind == "video"]
    if not media:
        _refuse(
            "there is no picture: add a part of type image_url, with a data: address",
            "messages",
            "missing_picture",
        )
    if videos and len(media) > 1:
        _refuse(
            "a question is about one video, or about pictures: not about both",
            videos[0].param,
            "unsupported_content",
        )
    if len(media) > limits.max_pictures:
        _refuse(
            f"there are {len(media)} pictures, allowed are {limits.max_pictures}",
            media[limits.max_pictures].param,
            "too_many_pictures",
        )


def _refuse(message: str, param: str, code: str = "invalid_value") -> NoReturn:
    raise bad_request(message, param, code)
