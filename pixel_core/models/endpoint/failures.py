"""What an endpoint's failure means, in our words: try again, or say what to mend.

What a server said is quoted without the key. Nothing is chained: the client's own errors
may hold headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pixel_core.errors import EndpointError
from pixel_core.models.endpoint.endpoint import Endpoint
from pixel_core.models.endpoint.waits import told_wait
from pixel_core.nesting import loads

if TYPE_CHECKING:
    import httpx2
    import openai

#: Codes of errors that concern one picture or question, in small letters: they are its answer.
#: The last three are DashScope's and Zhipu's.
REFUSALS = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "image_content_policy_violation",
        "invalid_image",
        "image_parse_error",
        "datainspectionfailed",
        "data_inspection_failed",
        "1301",
    }
)
#: What no waiting helps against: the account is empty. OpenAI's, Moonshot's, DashScope's,
#: DeepSeek's and one-api's words.
_NO_MONEY = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "exceeded_current_quota_error",
        "arrearage",
        "insufficient_balance",
        "insufficient_user_quota",
    }
)
#: What errors in a body that came with HTTP 200 call the statuses that tell us to wait.
_WORDS = {
    **dict.fromkeys(
        (
            *("rate_limit", "rate_limited", "rate_limit_error", "rate_limit_exceeded"),
            *("too_many_requests", "resource_exhausted", "throttling", "throttled"),
        ),
        429,
    ),
    **dict.fromkeys(("overloaded", "overloaded_error", "unavailable"), 503),
}
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
    if _has_no_money(error) or _is_too_large(error):
        return False
    return status in _TRANSIENT or status >= 500


def is_overload(error: openai.APIError) -> bool:
    """Whether the endpoint says that it is asked too much."""
    return _status(error) in (429, 503, 529)


def is_rate_limit(error: openai.APIError) -> bool:
    """Whether waiting alone mends it: a 429 that is neither an empty account nor a request
    which is larger than what is ever allowed at once."""
    return _status(error) == 429 and not _has_no_money(error) and not _is_too_large(error)


def hidden_error(response: httpx2.Response) -> openai.APIStatusError | None:
    """The error that came with HTTP 200 in place of an answer, as if it had come with the
    status it names; None for everything else. Gateways begin to answer before they know."""
    import httpx2
    import openai

    try:
        body = loads(response.content)
    except ValueError:
        return None
    if not isinstance(body, dict) or body.get("choices"):
        return None
    told = body.get("error") or (body if body.get("object") == "error" else None)
    told = {"message": told} if isinstance(told, str) else told
    status = _stated_status(told) if isinstance(told, dict) else 0
    if not status:
        return None
    assert isinstance(told, dict)
    seen = httpx2.Response(status, headers=response.headers, request=response.request)
    kind = openai.RateLimitError if status == 429 else openai.APIStatusError
    return kind(str(told.get("message") or told), response=seen, body=told)


def _stated_status(told: Mapping[str, Any]) -> int:
    """The HTTP status that an error's own words stand for; 0 where they don't say."""
    for value in (told.get("code"), told.get("status"), told.get("type")):
        if isinstance(value, str) and (status := _WORDS.get(value.lower())):
            return status
        text = str(value)
        if text.isascii() and text.isdecimal() and 400 <= int(text[:4]) < 600:
            return int(text[:4])
    return 0


def asked_wait(error: openai.APIError) -> float | None:
    """Seconds that the endpoint asks to wait; None where it does not say."""
    response = getattr(error, "response", None)
    return None if response is None else told_wait(response.headers, error.body)


def was_lost(error: openai.APIError) -> bool:
    """Whether the request may have been answered, and charged for, without our hearing it:
    it was sent, and the connection broke or took too long."""
    return _status(error) is None and not _is_unsent(error)


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
    if status is None and _is_unsent(error):
        return EndpointError(f"{place} can't be reached, {after}; check {section}base_url")
    if status is None:
        how = redacted(f"{error.__cause__ or error}"[:200].encode(), key).decode()
        return EndpointError(
            f"{place} takes requests and breaks off its answers ({how}), {after}; what was "
            "answered is kept: try later, and look at what lies between (a proxy, its limits)"
        )
    if _has_no_money(error):
        said = _said(error, key)
        account = f"behind {endpoint.api_key_env} " if endpoint.api_key_env else ""
        return EndpointError(
            f"{place} says that the account {account}has no money left "
            f"(HTTP {status}): {said}; what was answered is kept: top it up and run again"
        )
    if status == 407:
        return EndpointError(
            f"a proxy before {place} wants to know who asks (HTTP 407); put name and password "
            "into HTTPS_PROXY or HTTP_PROXY, or the endpoint's name into NO_PROXY"
        )
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
    said = _said(error, key)
    if _is_too_large(error):
        return EndpointError(
            f"{place} never takes a request of this size (HTTP {status}): {said}; what was "
            "answered is kept: ask for higher limits (tokens a minute, bytes of a request), or "
            "send smaller pictures"
        )
    if status in (404, 405):
        return EndpointError(
            f"{place} does not know the model {endpoint.model!r} or the path (HTTP {status}); "
            f"check {section}model and base_url; it said: {said}"
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
    said = _said(error, key)
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


def _said(error: openai.APIError, key: str) -> str:
    return redacted(str(error.message).encode(), key).decode("utf-8", "replace")[:300]


def _is_unsent(error: openai.APIError) -> bool:
    """Whether no connection came about."""
    import httpx2

    unsent: tuple[type[Exception], ...] = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.PoolTimeout,
        httpx2.UnsupportedProtocol,
    )
    return isinstance(error.__cause__, unsent)


def _has_no_money(error: openai.APIError) -> bool:
    return _status(error) == 402 or bool(_codes(error) & _NO_MONEY)


def _is_too_large(error: openai.APIError) -> bool:
    large = "request too large" in str(error.message).lower()
    return _status(error) == 413 or (_status(error) == 429 and large)


def _status(error: openai.APIError) -> int | None:
    return getattr(error, "status_code", None)


def _codes(error: openai.APIError) -> frozenset[str]:
    """The error's code and type in small letters; servers put the same words in either."""
    return frozenset(
        value.lower()
        for value in (error.code, getattr(error, "type", None))
        if isinstance(value, str)
    )
