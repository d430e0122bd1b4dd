"""Storms of refusals, and how long the endpoint says to wait, against a real endpoint."""

from __future__ import annotations

import email.utils
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from asking import KEY, VARIABLE, ask, context, drive_all
from endpoint import FakeEndpoint, Reply, Seen, chat, failure

from pixel_core.errors import EndpointError


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


@pytest.mark.parametrize("status", [429, 500, 503, 408])
def test_a_storm_is_ridden_out(tmp_path: Path, status: int) -> None:
    tries: Counter[str] = Counter()

    def stormy(seen: Seen, number: int) -> Reply:
        tries[seen.question] += 1
        return failure(status) if tries[seen.question] <= 2 else chat("yes")

    with FakeEndpoint(stormy) as endpoint:
        run = context(tmp_path, endpoint.url, concurrency=4)
        results, _ = drive_all(run, [ask(str(n)) for n in range(6)])
    assert len(results) == 6
    assert set(tries.values()) == {3}


def test_everyone_waits_as_long_as_the_endpoint_asks(tmp_path: Path) -> None:
    at: list[float] = []
    asked = threading.Event()

    def busy_once(seen: Seen, number: int) -> Reply:
        at.append(time.monotonic())
        if number == 5 and not asked.is_set():
            asked.set()
            return failure(429, **{"retry-after-ms": "400"})
        reply = chat("yes")
        reply.delay_s = 0.02
        return reply

    with FakeEndpoint(busy_once) as endpoint:
        run = context(tmp_path, endpoint.url, concurrency=4)
        drive_all(run, [ask(str(n)) for n in range(24)])
    later = [moment - at[5] for moment in at[6:]]
    # Those under way, of four at once, may end and be followed by one that was begun before
    # the answer had come; what begins anew waits for the whole time.
    assert all(gap >= 0.38 for gap in later[6:])
    assert len(later) >= 18


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_read_in_each_form(tmp_path: Path, form: str) -> None:
    at: list[float] = []

    def once(seen: Seen, number: int) -> Reply:
        # A date has whole seconds: between one and two from now.
        date = email.utils.formatdate(time.time() + 2, usegmt=True)
        said = "1" if form == "seconds" else date
        at.append(time.monotonic())
        busy = failure(429, **{"retry-after": said})
        del busy.headers["retry-after-ms"]
        return busy if number == 0 else chat("yes")

    with FakeEndpoint(once) as endpoint:
        run = context(tmp_path, endpoint.url)
        drive_all(run, [ask("a")])
    assert 0.9 < at[1] - at[0] < 3.0


def test_an_endpoint_that_asks_for_an_hour_is_not_waited_for(tmp_path: Path) -> None:
    def busy(seen: Seen, number: int) -> Reply:
        return failure(429, **{"retry-after-ms": "3600000"})

    with (
        FakeEndpoint(busy) as endpoint,
        pytest.raises(EndpointError, match="asks to wait 3600 s"),
    ):
        drive_all(context(tmp_path, endpoint.url), [ask("a")])


def test_an_endless_storm_is_one_error_and_what_was_answered_is_kept(tmp_path: Path) -> None:
    def respond(seen: Seen, number: int) -> Reply:
        if seen.question == "0":
            return chat("yes")
        told = failure(429)
        del told.headers["retry-after-ms"]
        return told

    with FakeEndpoint(respond) as endpoint:
        run = context(tmp_path, endpoint.url, concurrency=1, max_wait_s=0.6)
        with pytest.raises(EndpointError, match=r"HTTP 429 after .* of waiting.*max_wait_s"):
            drive_all(run, [ask("0"), ask("1")])
        assert 2 <= len(endpoint.requests) <= 4
        endpoint.respond = lambda seen, number: chat(f"said {seen.question}")
        endpoint.requests.clear()
        results, _ = drive_all(run, [ask("0"), ask("1")])
    assert results == {0: ["yes"], 1: ["said 1"]}
    assert [seen.question for seen in endpoint.requests] == ["1"]


def test_a_long_storm_is_waited_out_however_often_it_says_no(tmp_path: Path) -> None:
    def stormy(seen: Seen, number: int) -> Reply:
        return failure(429) if number < 9 else chat("yes")

    with FakeEndpoint(stormy) as endpoint:
        run = context(tmp_path, endpoint.url, max_retries=0)
        assert drive_all(run, [ask("a")])[0] == {0: ["yes"]}


def test_a_storm_that_tells_of_waits_ends_with_the_bound(tmp_path: Path) -> None:
    def respond(seen: Seen, number: int) -> Reply:
        return failure(429, **{"retry-after-ms": "100"})

    with FakeEndpoint(respond) as endpoint:
        run = context(tmp_path, endpoint.url, max_wait_s=0.35)
        with pytest.raises(EndpointError, match=r"longer than annotate\.openai\.max_wait_s"):
            drive_all(run, [ask("a")])
        assert 2 <= len(endpoint.requests) <= 4


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"x-ratelimit-reset-tokens": "300ms", "x-ratelimit-remaining-tokens": "0"}, "no"),
        ({"x-ratelimit-reset-requests": "0.3"}, "no"),
        ({}, "Rate limit reached. Please try again in 300ms. Visit https://example.org"),
        ({"retry-after": "1e12"}, "retry after 0.3 seconds"),
    ],
    ids=["duration", "seconds", "body", "absurd"],
)
def test_a_wait_is_heeded_wherever_it_is_told(
    tmp_path: Path, headers: dict[str, str], body: str
) -> None:
    at: list[float] = []

    def once(seen: Seen, number: int) -> Reply:
        at.append(time.monotonic())
        busy = failure(429, body, **headers)
        del busy.headers["retry-after-ms"]
        return busy if number == 0 else chat("yes")

    with FakeEndpoint(once) as endpoint:
        drive_all(context(tmp_path, endpoint.url), [ask("a")])
    assert 0.29 < at[1] - at[0] < 1.5


def test_a_request_larger_than_the_limit_is_not_waited_for(tmp_path: Path) -> None:
    said = "Request too large for test on tokens per min (TPM): Limit 10, Requested 20."
    with (
        FakeEndpoint(lambda seen, n: failure(429, said)) as endpoint,
        pytest.raises(EndpointError, match=r"never takes a request of this size.*Limit 10"),
    ):
        drive_all(context(tmp_path, endpoint.url), [ask("a")])
