"""How long an endpoint asks to wait, in every form that servers say it in."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.models.endpoint.waits import read_wait, told_wait

many = settings(max_examples=100, deadline=None)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("20", 20.0),
        ("0", 0.0),
        (1.5, 1.5),
        ("250ms", 0.25),
        ("8.64s", 8.64),
        ("6m0s", 360.0),
        ("1m30s", 90.0),
        ("1h2m3.5s", 3723.5),
        ("2 minutes", 120.0),
        ("1 minute and 30 seconds", 90.0),
        ("PT1M30S", 90.0),
        ("34.07s", 34.07),
        # No wait that anybody can mean.
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("1e300", None),
        ("99999999", None),
        ("400 days", None),
        ("12 parsecs", None),
        ("soon", None),
        ("", None),
        (None, None),
        (True, None),
        ([3], None),
        ("2099-01-01T00:00:00Z", None),
        ("Mon, 01 Jan 2001 00:00:00 GMT", None),
        ("1000000001", None),
        ("9" * 400, None),
    ],
)
def test_a_value_is_read_or_passed_over(value: Any, seconds: float | None) -> None:
    assert read_wait(value) == (None if seconds is None else pytest.approx(seconds))


@many
@given(st.integers(2, 86_400))
def test_a_moment_is_a_wait_until_then(ahead: int) -> None:
    moment = time.time() + ahead
    for text in (
        str(int(moment) + 1),
        str(int(moment * 1000)),
        str(int(moment * 1e6)),
        str(int(moment * 1e9)),
        time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment + 1)),
        email.utils.formatdate(moment + 1, usegmt=True),
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment + 1)),
    ):
        assert read_wait(text) == pytest.approx(ahead, abs=1.5)


@many
@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_durations_add_up(hours: int, minutes: int, seconds: int, ms: int) -> None:
    whole = hours * 3600 + minutes * 60 + seconds + ms / 1000
    assert read_wait(f"{hours}h{minutes}m{seconds}s{ms}ms") == pytest.approx(whole)
    said = f"Please try again in {hours}h{minutes}m{seconds}.{ms:03d}s. Visit https://x.org/9s"
    assert told_wait({}, {"message": said}) == pytest.approx(whole)


@many
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=30),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["retry_after", "message", "x"]), inner)
        ),
    ),
    st.dictionaries(
        st.sampled_from(["retry-after", "Retry-After-Ms", "X-RateLimit-Reset-Tokens"]),
        st.text(max_size=30),
    ),
)
def test_whatever_is_sent_a_wait_is_none_or_can_be_waited(
    body: Any, headers: dict[str, str]
) -> None:
    wait = told_wait(headers, body)
    assert wait is None or 0 <= wait <= 7 * 86_400


@many
@given(st.integers(90, 86_400), st.sampled_from(["resets at {}", "please wait until {}."]))
def test_a_moment_in_words_is_a_wait_until_then(ahead: int, words: str) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + ahead))
    assert told_wait({}, {"message": words.format(at)}) == pytest.approx(ahead, abs=2)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "90", "retry-after": "7"}, 0.09),
        ({"Retry-After": "7", "x-ratelimit-reset-tokens": "9"}, 7.0),
        # The limit that was met counts, not the one that resets last.
        (
            {
                "x-ratelimit-reset-requests": "8.64s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "900",
            },
            8.64,
        ),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m"}, 1.0),
        ({"retry-after": "99999999999999", "ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-limit-tokens": "30000"}, None),
        # Sent twice, with parameters, under names of their own.
        ({"retry-after": "120, 120"}, 120.0),
        ({"retry-after": "60;w=60"}, 60.0),
        ({"x-retry-after": "40"}, 40.0),
        ({"x-ms-retry-after-ms": "1500"}, 1.5),
        ({"x-ratelimit-retry-after": "11", "retry-after": "9"}, 9.0),
        ({"x-rate-limit-reset": "40"}, 40.0),
        ({"ratelimit": "limit=100, remaining=0, reset=50"}, 50.0),
        ({"ratelimit": '"default";r=0;t=30'}, 30.0),
    ],
)
def test_headers_go_by_their_rank(headers: dict[str, str], seconds: float | None) -> None:
    assert told_wait(headers) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ("Please try again in 250ms.", 0.25),
        ("retry after 20 seconds because of load", 20.0),
        ("Please wait 2 minutes and 5 seconds before you go on", 125.0),
        ("Please retry in 34.07s", 34.07),
        ({"details": [{"@type": "RetryInfo", "retryDelay": "34s"}]}, 34.0),
        ({"error": {"retry_after_ms": 90}}, 0.09),
        ({"retry_after": 1.5}, 1.5),
        ({"metadata": {"headers": {"X-RateLimit-Reset": "5"}}}, 5.0),
        ({"retry-after": "99999999"}, None),
        ("Limit 30000, used 29000, requested 2000.", None),
        ("try again in a moment", None),
        ("We retry 3 times", None),
        ("Your request can be retried in 15 seconds", 15.0),
        ("You can retry your request in 5s", 5.0),
        ("Rate limited for 30s", 30.0),
        ("Retry after: 25s", 25.0),
        ("try again in ~20s", 20.0),
        ("请在 20 秒后重试", 20.0),
        ("速率限制，请等待30秒", 30.0),
        ("请求过于频繁，1分30秒之后再试", 90.0),
        ("每分钟最多 3 次请求，请稍后再试", None),
        ("最多 20 个请求以后会被限制", None),
        ({"retryDelay": {"seconds": "35", "nanos": 5}}, 35.0),
        ({"error": {"type": "usage_limit_reached", "resets_in_seconds": 60}}, 60.0),
        ("resets at 2001-01-01T00:00:00Z", None),
    ],
)
def test_a_body_says_it_in_fields_or_words(body: Any, seconds: float | None) -> None:
    assert told_wait({}, body) == (None if seconds is None else pytest.approx(seconds))
