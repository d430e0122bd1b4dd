"""What an endpoint's refusals mean, and errors that it sends as HTTP 200, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from endpoint import FakeEndpoint, Reply, Seen, chat, failure

from pixel_core.errors import EndpointError
from pixel_core.models.endpoint.completion import read_reply
from pixel_core.models.endpoint.connection import Connection, EndpointReply
from pixel_core.models.endpoint.endpoint import Endpoint
from pixel_core.models.endpoint.throttle import Throttle

VARIABLE = "TEST_FAILURES_KEY"
BODY = b'{"model": "m", "messages": [], "max_tokens": 9, "temperature": 0.0}'


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "sk-1234567890abcdef")


def asked(respond: Callable[[Seen, int], Reply], **settings: Any) -> tuple[EndpointReply, int]:
    """The answer, and the requests it took."""
    with FakeEndpoint(respond) as server:
        stated = {"timeout_s": 5.0, "retries": 1, "max_wait_s": 5.0} | settings
        endpoint = Endpoint(
            server.url,
            "m",
            VARIABLE,
            at_once=1,
            section="annotate.openai.",
            retries_setting="max_retries",
            at_once_setting="concurrency",
            takes="pictures",
            **stated,
        )
        connection = Connection(endpoint)
        try:
            answer = connection.ask(BODY, Throttle(1), lambda: None, lambda said: None)
        finally:
            connection.close()
        return answer, len(server.requests)


def hidden(message: str, **error: Any) -> Reply:
    return Reply({"error": {"message": message, **error}})


@pytest.mark.parametrize(
    "busy",
    [
        hidden("slow down, try again in 5ms", code=429),
        hidden("slow down, try again in 5ms", code="429"),
        hidden("slow down, try again in 5ms", code="rate_limit_exceeded"),
        hidden("slow down, try again in 5ms", status="RESOURCE_EXHAUSTED"),
        Reply({"object": "error", "code": 429, "message": "try again in 5ms"}),
    ],
    ids=["number", "digits", "code", "Google's", "vLLM's"],
)
def test_a_storm_that_comes_as_http_200_is_waited_out(busy: Reply) -> None:
    answer, requests = asked(lambda seen, n: chat("yes") if n > 3 else busy, retries=0)
    assert (read_reply(answer.body).content, requests) == ("yes", 5)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ({"code": 401}, r"refuses the key in TEST_FAILURES_KEY"),
        ({"code": 402}, r"has no money left"),
        ({"code": 404}, r"does not know the model"),
        ({"code": 502}, r"HTTP 502 after 0 retries"),
        ({"code": None}, r"answers without a text"),
        ({"code": 7}, r"answers without a text"),
    ],
)
def test_an_error_that_comes_as_http_200_is_told_as_what_it_is(
    error: dict[str, Any], told: str
) -> None:
    with pytest.raises(EndpointError, match=told):
        asked(lambda seen, n: hidden("no", **error), retries=0)


@pytest.mark.parametrize("status", [400, 200])
@pytest.mark.parametrize("code", ["content_filter", "data_inspection_failed", "1301"])
def test_a_filter_speaks_of_one_picture_whoever_has_it(code: str, status: int) -> None:
    refusal = failure(400, "no", code)
    if status == 200:
        refusal = Reply({"error": {"message": "no", "code": 400, "type": code}})
    answer, requests = asked(lambda seen, n: refusal)
    assert (read_reply(answer.body).refusal, requests) == (code, 1)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (failure(402, "Insufficient Balance"), r"no money left \(HTTP 402\).*top it up"),
        (failure(429, "no", "exceeded_current_quota_error"), r"no money left"),
        (failure(400, "overdue", "Arrearage"), r"no money left"),
        (failure(403, "no", "insufficient_user_quota"), r"no money left"),
        (Reply(b"<html>", 413), r"never takes a request of this size \(HTTP 413\)"),
        (Reply(b"", 407), r"a proxy before .* \(HTTP 407\); put name and password"),
        (Reply(b"<html>", 405), r"or the path \(HTTP 405\); check annotate.openai.model and"),
    ],
    ids=["402", "Moonshot's", "DashScope's", "one-api's", "413", "407", "405"],
)
def test_what_no_waiting_mends_is_told_once_with_its_remedy(reply: Reply, told: str) -> None:
    tries = []

    def refuse(seen: Seen, number: int) -> Reply:
        tries.append(number)
        return reply

    with pytest.raises(EndpointError, match=told):
        asked(refuse)
    assert len(tries) == 1


def test_an_endpoint_that_breaks_off_was_reached() -> None:
    no_gzip = Reply(b'{"id": "x"}', headers={"Content-Encoding": "gzip"})
    with pytest.raises(EndpointError, match=r"breaks off its answers \(.+\), after 0 retries"):
        asked(lambda seen, n: no_gzip, retries=0)


def test_a_body_without_end_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixel_core.models.endpoint.connection._LONGEST_BODY", 1000)
    with pytest.raises(EndpointError, match=r"breaks off .*more than 1,000 bytes"):
        asked(lambda seen, n: Reply(b" " * 1001), retries=0)
    whole = chat("yes")
    answer, _ = asked(lambda seen, n: whole, retries=0)
    assert read_reply(answer.body).content == "yes"


def test_a_parameter_that_is_refused_with_http_200_is_left_out() -> None:
    def picky(seen: Seen, number: int) -> Reply:
        if "temperature" in seen.body:
            return hidden("invalid temperature: only 1 is allowed for this model", code=400)
        return chat("yes")

    answer, requests = asked(picky)
    assert (answer.changes, requests) == (("-temperature",), 2)
