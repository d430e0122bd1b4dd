"""Refused requests in the API's shape: ``{"error": {...}}``.

The four fields and the usual status codes are those of OpenAI's API reference ("Error codes").
"""

from __future__ import annotations

from typing import Any

from pixel_core.errors import Busy, DataError, MediaError, PixelError, TimedOut


class Refusal(PixelError):
    """``param``: which part of the request is at fault. ``code``: machine-readable.

    ``retry_after_s``: when the client may try again.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = _whole(message)
        self.code = code
        self.param = None if param is None else _whole(param)
        self.retry_after_s = retry_after_s

    @property
    def kind(self) -> str:
        """The field ``type``."""
        kinds = {429: "rate_limit_error", 503: "overloaded_error", 504: "timeout_error"}
        if self.status in kinds:
            return kinds[self.status]
        return "server_error" if self.status >= 500 else "invalid_request_error"

    def body(self) -> dict[str, Any]:
        error = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }
        return {"error": error}

    def headers(self) -> dict[str, str]:
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        return headers | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})


def _whole(text: str) -> str:
    """Replace a lone surrogate, legal in a request's JSON but not in a reply, by its number."""
    return text.encode("utf-8", "backslashreplace").decode()


def bad_request(message: str, param: str | None = None, code: str = "invalid_value") -> Refusal:
    """400: the client must change the request."""
    return Refusal(400, message, code=code, param=param)


def refusal_of(error: PixelError) -> Refusal:
    """A typed error in the API's shape. Its text already names the value and the remedy."""
    match error:
        case Refusal():
            return error
        case MediaError():
            return bad_request(str(error), "messages", "invalid_image")
        case DataError():
            return bad_request(str(error), "messages", "invalid_question")
        case Busy():
            return Refusal(429, str(error), code="queue_full", retry_after_s=1)
        case TimedOut():
            return Refusal(504, str(error), code="timeout")
        case _:
            return Refusal(503, str(error), code="engine_failed")
