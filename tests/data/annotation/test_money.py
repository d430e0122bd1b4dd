"""What answers cost, exactly; and a budget that is never exceeded."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from asking import KEY, VARIABLE, ask, context, drive_all, request
from endpoint import FakeEndpoint, Reply, Seen, chat
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.config import TokenPrices
from pixel_core.data.annotation.account import open_account
from pixel_core.data.annotation.pricing import (
    PICO,
    dollars,
    expected_tokens,
    most_price,
    most_tokens,
    picodollars,
    picture_tokens,
    price,
    view_size,
)
from pixel_core.data.annotation.requests import PictureView, request_json
from pixel_core.errors import BudgetSpent
from pixel_core.models.endpoint.completion import read_reply
from pixel_core.records import Box, Picture
from pixel_core.workflow.stage import StageContext

few = settings(max_examples=40, deadline=None)
tokens = st.integers(0, 10**7)
amounts = st.decimals(0, 1000, places=6).map(float)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


def test_a_reply_at_list_price() -> None:
    # 1,000 prompt tokens, 400 of them cached, and 200 of completion, at gpt-4o's prices.
    cost = price(TokenPrices(), prompt=1000, cached=400, completion=200)
    assert dollars(cost) == pytest.approx(0.0015 + 0.0005 + 0.002)
    assert 2 * price(TokenPrices(), prompt=1000, cached=400, completion=200, batch=True) == cost


@few
@given(amounts, amounts, amounts, tokens, tokens, tokens)
def test_prices_are_exact(
    each: float, cached_each: float, said_each: float, prompt: int, cached: int, said: int
) -> None:
    prices = TokenPrices(prompt=each, cached_prompt=cached_each, completion=said_each)
    cached = min(cached, prompt)
    exact = (
        Decimal(repr(each)) * (prompt - cached)
        + Decimal(repr(cached_each)) * cached
        + Decimal(repr(said_each)) * said
    ) / 10**6
    found = price(prices, prompt=prompt, cached=cached, completion=said)
    assert Decimal(found) / PICO == exact


@few
@given(st.lists(tokens, max_size=20))
def test_sums_do_not_drift(prompts: list[int]) -> None:
    prices = TokenPrices(prompt=0.15, cached_prompt=0.075, completion=0.6)
    each = sum(price(prices, prompt=prompt, completion=0, batch=True) for prompt in prompts)
    assert each == price(prices, prompt=sum(prompts), completion=0, batch=True)


@few
@given(amounts)
def test_a_budget_is_the_amount_as_written(usd: float) -> None:
    assert Decimal(picodollars(usd)) / PICO == Decimal(repr(usd))


@pytest.mark.parametrize(
    ("model", "width", "height", "expected"),
    [
        # The examples of OpenAI's own page, and its edges.
        ("gpt-4o-2024-11-20", 1024, 1024, 765),
        ("gpt-4o-2024-11-20", 2048, 4096, 1105),
        ("gpt-4o", 512, 512, 255),
        ("gpt-4o", 513, 512, 425),
        ("gpt-4o", 10, 10, 255),
        ("gpt-4o", 8000, 100, 85 + 170 * 4),
        ("gpt-4o-mini-2024-07-18", 1024, 1024, 2833 + 4 * 5667),
        # Unknown: no fewer than a model that counts 28 x 28 patches.
        ("Qwen/Qwen2.5-VL-72B-Instruct", 2800, 2800, 10_000),
    ],
)
def test_pictures_count_as_documented(
    model: str, width: int, height: int, expected: int
) -> None:
    assert picture_tokens(model, width, height) == expected


@few
@given(st.integers(1, 9000), st.integers(1, 9000))
def test_no_picture_counts_more_than_eight_tiles(width: int, height: int) -> None:
    # After the scaling a side is at most 2048 and the other at most 768.
    assert 85 + 170 <= picture_tokens("gpt-4o", width, height) <= 85 + 170 * 8
    assert picture_tokens("gpt-4o", width, height) == picture_tokens("gpt-4o", height, width)


def view(width: int, height: int, pixels: int, region: Box | None = None) -> PictureView:
    return PictureView(
        Picture(member="a", width=width, height=height, sha256="0"), pixels, region
    )


@few
@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 10**6))
def test_views_keep_their_shape_within_the_budget(width: int, height: int, most: int) -> None:
    across, down = view_size(view(width, height, most))
    assert across * down <= most or 1 in (across, down)
    if width * height <= most:
        assert (across, down) == (width, height)


@few
@given(st.text(max_size=300), st.integers(1, 3000))
def test_the_bound_is_above_the_expectation(text: str, side: int) -> None:
    asked = request(text, view(side, side, 10**6))
    assert expected_tokens("gpt-4o", asked) <= most_tokens("gpt-4o", asked)
    small = most_price(TokenPrices(), "gpt-4o", asked, batch=True)
    assert 0 < small < most_price(TokenPrices(), "gpt-4o", asked)


def metered(prompt: int, completion: int, cached: int = 0) -> Callable[[Seen, int], Reply]:
    def respond(seen: Seen, number: int) -> Reply:
        reply = chat(f"said {seen.question}")
        reply.body["usage"] = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        reply.delay_s = 0.01
        return reply

    return respond


def costs(run: StageContext) -> dict[str, float]:
    return json.loads(run.work.get("costs.json") or b"{}")


def test_what_was_spent_and_saved_is_told(tmp_path: Path) -> None:
    with FakeEndpoint(metered(1000, 200, cached=400)) as endpoint:
        first = context(tmp_path, endpoint.url)
        drive_all(first, [ask("a", "b")])
        second = context(tmp_path, endpoint.url, "second")
        drive_all(second, [ask("a", "b", "a"), ask("c")])
    assert costs(first) == {
        "usd": 0.008,
        "saved_usd": 0,
        "requests": 2,
        "remembered": 0,
        "prompt_tokens": 2000,
        "cached_tokens": 800,
        "completion_tokens": 400,
        "unmetered": 0,
    }
    assert (costs(second)["usd"], costs(second)["saved_usd"]) == (0.004, 0.008)
    assert (costs(second)["requests"], costs(second)["remembered"]) == (1, 3)


@pytest.mark.parametrize("concurrency", [1, 8])
def test_the_budget_is_never_exceeded_and_can_be_raised(
    tmp_path: Path, concurrency: int
) -> None:
    # An answer costs $0.00085 here, and at most $0.00145.
    with FakeEndpoint(metered(100, 60)) as endpoint:
        asked = [ask(str(n)) for n in range(12)]
        for budget in (0.004, 0.008):
            run = context(tmp_path, endpoint.url, budget_usd=budget, concurrency=concurrency)
            with pytest.raises(BudgetSpent, match=r"budget_usd and run again") as caught:
                drive_all(run, asked)
            spent = 0.00085 * len(endpoint.requests)
            # Not exceeded, and not given up while there was money for one more.
            assert budget - 0.00146 < spent <= budget
            assert costs(run)["usd"] == pytest.approx(spent)
            assert f"budget of ${budget:g}" in str(caught.value)
            assert f"are spent on {len(endpoint.requests)} answers" in str(caught.value)
        results, account = drive_all(context(tmp_path, endpoint.url, budget_usd=1.0), asked)
    assert len(results) == 12
    # Nothing was paid for twice, and what interrupted runs paid is counted.
    assert len({seen.question for seen in endpoint.requests}) == len(endpoint.requests) == 12
    assert account.spent_usd == pytest.approx(12 * 0.00085)


def test_what_is_on_record_is_free(tmp_path: Path) -> None:
    with FakeEndpoint(metered(240, 100)) as endpoint:
        drive_all(context(tmp_path, endpoint.url), [ask("a")])
        broke = context(tmp_path, endpoint.url, "second", budget_usd=0.0)
        assert drive_all(broke, [ask("a")])[0] == {0: ["said a"]}
        with pytest.raises(BudgetSpent):
            drive_all(broke, [ask("b")])
    assert len(endpoint.requests) == 1


def test_money_set_aside_comes_back(tmp_path: Path) -> None:
    run = context(tmp_path, "http://127.0.0.1:9/v1", budget_usd=0.002)
    with open_account(run) as account:
        account.reserve(request("a"))
        with pytest.raises(BudgetSpent) as caught:
            account.reserve(request("b"))
        assert not caught.value.final
        account.reserve(request("a"))  # the same question: it is paid for once
        assert account.outstanding == 1
        account.release(request("a"))
        account.reserve(request("b"))
        reply = account.record(request("b"), json.dumps(chat("yes").body).encode())
        assert (reply.content, account.outstanding) == ("yes", 0)
        assert account.spent_usd == pytest.approx(0.00045)


def test_the_batch_price_is_reserved_and_paid(tmp_path: Path) -> None:
    run = context(tmp_path, "http://127.0.0.1:9/v1", budget_usd=0.002)
    body = json.dumps(chat("yes").body).encode()
    with open_account(run) as account:
        account.reserve(request("a"), batch=True)
        account.reserve(request("b"), batch=True)
        done = account.submit([(request("a"), body), (request("b"), body)], batch=True)
        assert [future.result().content for future in done] == ["yes", "yes"]
        assert account.spent_usd == pytest.approx(0.00045)
        assert account.recall(request("b")) is not None


@few
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["choices", "message", "content", "usage", "prompt_tokens", "refusal"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_an_endpoint_sends_is_a_reply(value: object) -> None:
    reply = read_reply(json.dumps(value).encode())
    assert reply.content is None or isinstance(reply.content, str)
    assert 0 <= reply.prompt_tokens < 10**9
    assert reply.content is None or not reply.refusal


@few
@given(st.text(max_size=60), st.integers(0, 12))
def test_pictures_stand_in_the_sent_bytes_where_they_belong(text: str, count: int) -> None:
    urls = [f"data:image/png;base64,{number}=" for number in range(count)]
    asked = request(text, *(view(9, 9, 81) for _ in urls))
    sent = json.loads(request_json(asked, "gpt-4o", urls))
    *pictures, said = sent["messages"][1]["content"]
    assert [part["image_url"]["url"] for part in pictures] == urls
    assert said == {"type": "text", "text": text}
    assert sent["max_completion_tokens"] == 100


def test_a_cut_answer_says_so() -> None:
    body = chat("half an ans").body
    body["choices"][0]["finish_reason"] = "length"
    reply = read_reply(json.dumps(body).encode())
    assert (reply.content, reply.truncated) == ("half an ans", True)
