"""What a batch's output and error files say of each request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pixel_core.models.endpoint.completion import is_answer, refusal_body
from pixel_core.models.endpoint.failures import REFUSALS
from pixel_core.nesting import loads

#: The request's id in a line, as we gave it.
_WHOSE = re.compile(rb'"custom_id"\s*:\s*"([0-9a-f]{64})"')


class RequestOutcome(StrEnum):
    """What became of a request."""

    ANSWERED = "answered"
    UNUSABLE = "unusable"  #: paid for, but no completion: asked again
    TRANSIENT = "transient"  #: expired, rate-limited, a fault of the server: asked again
    REFUSED_KEY = "refused_key"
    NO_QUOTA = "no_quota"
    BROKEN = "broken"  #: the endpoint will never answer this


@dataclass(frozen=True)
class LineResult:
    """``body``: of ``ANSWERED`` and ``UNUSABLE``; ``said``: of the others."""

    digest: str
    ending: RequestOutcome
    body: bytes = b""
    said: str = ""


def read_results(lines: Iterable[bytes]) -> Iterator[LineResult | None]:
    """One for each line, whatever is in it; None for a line that can't be read."""
    for line in lines:
        try:
            value = loads(line)
        except ValueError:
            yield None
            continue
        digest = value.get("custom_id") if isinstance(value, dict) else None
        yield _result(digest, value) if isinstance(digest, str) else None


def garbled_digest(line: bytes) -> str:
    """Whose answer stands in a line that can't be read; "" where that is lost, too."""
    found = _WHOSE.search(line)
    return found[1].decode() if found else ""


def _result(digest: str, value: dict[str, Any]) -> LineResult:
    response, error = value.get("response"), value.get("error")
    if isinstance(response, dict) and "status_code" in response:
        status = response["status_code"]
        content = response.get("body")
        if status == 200:
            body = json.dumps(content).encode()
            ending = RequestOutcome.ANSWERED if is_answer(body) else RequestOutcome.UNUSABLE
            return LineResult(digest, ending, body)
        inner = content.get("error") if isinstance(content, dict) else None
        return _failed(digest, status, inner)
    return _failed(digest, 0, error)


def _failed(digest: str, status: Any, error: Any) -> LineResult:
    """A response with an error's status, or (status 0) no response at all."""
    code = error.get("code") if isinstance(error, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    said = " ".join(str(part) for part in (status or "", code or "", message or "") if part)
    if code in REFUSALS:  # an answer, and a free one
        return LineResult(digest, RequestOutcome.ANSWERED, refusal_body(str(code)))
    if status in (401, 403):
        return LineResult(digest, RequestOutcome.REFUSED_KEY, said=said)
    if code == "insufficient_quota":
        return LineResult(digest, RequestOutcome.NO_QUOTA, said=said)
    fatal = isinstance(status, int) and 400 <= status < 500 and status not in (408, 409, 429)
    return LineResult(
        digest, RequestOutcome.BROKEN if fatal else RequestOutcome.TRANSIENT, said=said
    )
