"""What an endpoint's failure means, in our words: try again, or say what to mend.

What a server said is quoted without the key. Nothing is chained: the client's own errors
may hold headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pixel_core.endpoints.endpoint import Endpoint
from pixel_core.endpoints.waits import told_wait
from pixel_core.errors import EndpointError

if TYPE_CHECKING:
    import openai

#: Codes of errors that concern one picture or question: they are its answer.
REFUSALS = frozenset({"content_filter", "content_policy_violation", "invalid_image"})
#: A 429 that no waiting helps against: the account is empty.
_NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_TRANSIENT = frozenset({408, 409, 425, 429})
#: Shorter "keys" are words ("none") that local servers accept; nothing to hide.
_SECRET_LENGTH = 8


def redacted(data: bytes, key: str) -> bytes:
    """What a server said, without the key if it quoted that."""
    return data if len(key) < _SECRET_LENGTH else data.replace(key.encode(), b"[key]")


def is_transient(error: openai.APIError) -> bool:
    """Whether the same request may well be answered a little later."""
    status = _status(error)
    if status is None:
        return True  # a time-out, or a connection that broke
    if _codes(error) & _NO_MONEY or _is_too_large(error):
        return False
    return status in _TRANSIENT or status >= 500


def is_overload(error: openai.APIError) -> bool:
    """Whether the endpoint says that it is asked too much."""
    return _status(error) in (429, 503, 529)


def is_rate_limit(error: openai.APIError) -> bool:
    """Whether waiting alone mends it: a 429 that is neither an empty account nor a request
    which is larger than what is ever allowed at once."""
    return _status(error) == 429 and not _codes(error) & _NO_MONEY and not _is_too_large(error)


def asked_wait(error: openai.APIError) -> float | None:
    """Seconds that the endpoint asks to wait; None where it does not say."""
    response = getattr(error, "response", None)
    return None if response is None else told_wait(response.headers, error.body)


def was_lost(error: openai.APIError) -> bool:
    """Whether the request may have been answered, and charged for, without our hearing it:
    it was sent, and the connection broke or took too long."""
    import httpx2

    unsent: tuple[type[Exception], ...] = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.PoolTimeout,
        httpx2.UnsupportedProtocol,
    )
    return _status(error) is None and not isinstance(error.__cause__, unsent)


def refusal_code(error: openai.APIError) -> str:
    """The code of an error that is an answer: this picture or question is refused; or ""."""
    found = sorted(_codes(error) & REFUSALS)
    return found[0] if _status(error) == 400 and found else ""


def failure(error: openai.APIError, endpoint: Endpoint, key: str, tries: int) -> EndpointError:
    """The error to end with, after ``tries`` requests in all."""
    import openai

    place, section, after = endpoint.where, endpoint.section, f"after {tries - 1} retries"
    if isinstance(error, openai.APITimeoutError):
        return EndpointError(
            f"{place} gave no answer in {endpoint.timeout_s:g} s, {after}; raise "
            f"{section}timeout_s or try later"
        )
    status = _status(error)
    if status is None:
        return EndpointError(f"{place} can't be reached, {after}; check {section}base_url")
    if status in (401, 403) and not endpoint.api_key_env:
        return EndpointError(
            f"{place} wants a key (HTTP {status}); name the environment variable that holds "
            f"it in {section}api_key_env"
        )
    if status in (401, 403):
        return EndpointError(
            f"{place} refuses the key in {endpoint.api_key_env} (HTTP {status}); put a valid "
            "key in that environment variable"
        )
    said = redacted(str(error.message).encode(), key).decode("utf-8", "replace")[:300]
    if _codes(error) & _NO_MONEY:
        return EndpointError(
            f"{place} says that the account behind {endpoint.api_key_env} has no money left "
            f"(HTTP {status}): {said}; what was answered is kept: top it up and run again"
        )
    if _is_too_large(error):
        return EndpointError(
            f"{place} never takes a request of this size (HTTP 429): {said}; what was "
            "answered is kept: ask for a higher limit of tokens a minute, or send smaller "
            "pictures"
        )
    if status == 404:
        return EndpointError(
            f"{place} does not know the model {endpoint.model!r} or the path (HTTP 404); check "
            f"{section}model and base_url; it said: {said}"
        )
    if status in _TRANSIENT or status >= 500:
        return EndpointError(
            f"{place} still answers HTTP {status} {after}; what was answered is kept: try "
            f"later, lower {section}{endpoint.at_once_setting} or raise "
            f"{endpoint.retries_setting}; it said: {said}"
        )
    return EndpointError(
        f"{place} refuses the request (HTTP {status}); the model {endpoint.model!r} must take "
        f"{endpoint.takes}; it said: {said}"
    )


def storm(error: openai.APIError, endpoint: Endpoint, key: str, waited: float) -> EndpointError:
    """The error to end with when waiting did not help an endpoint that is asked too much."""
    said = redacted(str(error.message).encode(), key).decode("utf-8", "replace")[:300]
    return EndpointError(
        f"{endpoint.where} still answers HTTP {_status(error)} after {waited:.1f} s of "
        f"waiting; what was answered is kept: try later, lower "
        f"{endpoint.section}{endpoint.at_once_setting} or raise max_wait_s "
        f"({endpoint.max_wait_s:g}); it said: {said}"
    )


def no_answer(body: bytes, endpoint: Endpoint, tries: int) -> EndpointError:
    """The error to end with when HTTP 200 came with something that is no answer."""
    shown = repr(body[:120].decode("utf-8", "replace"))
    times = f"{tries} times for one request" if tries > 1 else "once"
    return EndpointError(
        f"{endpoint.where} answers without a text ({shown}), {times}, though with HTTP 200; "
        f"what was answered is kept: run again when it works again, and check "
        f"{endpoint.section}base_url, and that its server does not take tool calls or "
        "thoughts out of the text"
    )


def _is_too_large(error: openai.APIError) -> bool:
    return _status(error) == 429 and "request too large" in str(error.message).lower()


def _status(error: openai.APIError) -> int | None:
    return getattr(error, "status_code", None)


def _codes(error: openai.APIError) -> frozenset[Any]:
    """The error's code and type; servers put the same words in either."""
    return frozenset(
        value for value in (error.code, getattr(error, "type", None)) if isinstance(value, str)
    )
