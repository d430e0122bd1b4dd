"""Many at once: none is lost, nobody's answer depends on who else asks, and the rest wait."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator

import httpx
import openai
import pytest
from memorised import memorised
from serving_world import CHAT, MODEL, Running, asking, data_url, picture_part, serving
from tiny_world import opening

from pixel_core.config import SamplingConfig
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.rollout.episode import run_episodes
from pixel_core.rollout.operations import ShownPicture
from pixel_core.serving.http.admission import Limits

CLIENTS = 64


@pytest.fixture
def small() -> Iterator[Running]:
    """One runs, two wait."""
    with serving(Limits(max_running=1, max_waiting=2, timeout_s=20)) as running:
        yield running


@pytest.mark.ci
def test_64_clients_at_once_get_what_each_would_alone() -> None:
    world = memorised().world
    # Questions the model does not know: its answers to them differ, and go wrong at length.
    openings = [opening(world.prompts, 100 + seed) for seed in range(CLIENTS)]
    engine = EmbeddedEngine(world.model, world.vocabulary)
    greedy = SamplingConfig(temperature=0.0)
    alone = []
    for one in openings:
        (episode,) = run_episodes(engine, world.prompts, [one], 1, greedy)
        alone.append("\n\n".join(step.text for step in episode.steps))
    assert len(set(alone)) > 3

    async def ask(client: openai.AsyncOpenAI, number: int) -> str:
        one = openings[number]
        content = [
            picture_part(data_url(one.shown[0].image)),
            {"type": "text", "text": one.query.question},
        ]
        messages = [{"role": "user", "content": content}]
        if number % 2:
            whole = await client.chat.completions.create(model=MODEL, messages=messages)
            return whole.choices[0].message.content
        stream = await client.chat.completions.create(
            model=MODEL, messages=messages, stream=True
        )
        return "".join([c.choices[0].delta.content or "" async for c in stream])

    async def ask_all(url: str) -> list[str]:
        async with openai.AsyncOpenAI(
            base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60
        ) as client:
            return await asyncio.gather(*(ask(client, n) for n in range(CLIENTS)))

    with serving() as endpoint:
        assert asyncio.run(ask_all(endpoint.url)) == alone
        assert endpoint.gate.inside == 0
        # They were generated together, not one after the other.
        assert endpoint.scheduler.counts().rounds < CLIENTS


def test_a_full_queue_is_said_at_once(small: Running) -> None:
    async def crowd() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=60) as client:
            asked = [
                asyncio.create_task(client.post(small.url + CHAT, json=asking()))
                for _ in range(8)
            ]
            while sum(task.done() for task in asked) < 5:
                await asyncio.sleep(0.01)
            # Told before there is any answer.
            assert {task.result().status_code for task in asked if task.done()} == {429}
            small.engine.go_on.set()
            return await asyncio.gather(*asked)

    small.engine.go_on.clear()
    replies = asyncio.run(crowd())
    assert sorted(reply.status_code for reply in replies) == [200] * 3 + [429] * 5
    refused = next(reply for reply in replies if reply.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["code"] == "queue_full"


def test_the_official_client_gets_in_by_trying_again(small: Running) -> None:
    async def crowd() -> list[str | None]:
        async with openai.AsyncOpenAI(
            base_url=f"{small.url}/v1", api_key="none", max_retries=8, timeout=60
        ) as client:
            asked = [client.chat.completions.create(**asking()) for _ in range(6)]
            whole = await asyncio.gather(*asked)
        return [one.choices[0].message.content for one in whole]

    assert asyncio.run(crowd()) == ["\\boxed{7}"] * 6


def test_an_answer_that_comes_too_late() -> None:
    with serving(Limits(timeout_s=0.5)) as endpoint:
        assert endpoint.post(asking()).status_code == 200
        endpoint.engine.go_on.clear()
        reply = endpoint.post(asking(1))  # while the engine is held
        assert reply.status_code == 504
        assert reply.json()["error"]["code"] == "timeout"
        wait_until(lambda: endpoint.gate.inside == 0)
        endpoint.engine.go_on.set()
        assert endpoint.post(asking()).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_frees_its_place(small: Running, stream: bool) -> None:
    small.engine.go_on.clear()
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(small.url + CHAT, json=asking(1, stream=stream), timeout=0.5)
    wait_until(lambda: small.gate.inside == 0)
    small.engine.go_on.set()
    assert small.post(asking()).status_code == 200
    counts = small.scheduler.counts()
    assert (counts.answered, counts.cancelled) == (1, 1)


def test_those_who_wait_leave_the_queue_when_they_go_away(small: Running) -> None:
    async def crowd() -> None:
        async with httpx.AsyncClient(timeout=60) as client:
            asked = [
                asyncio.create_task(client.post(small.url + CHAT, json=asking()))
                for _ in range(3)
            ]
            while small.gate.inside < 3:
                await asyncio.sleep(0.01)
            for task in asked[1:]:
                task.cancel()
            await asyncio.wait(asked[1:])
            while small.gate.inside > 1:
                await asyncio.sleep(0.01)
            small.engine.go_on.set()
            assert (await asked[0]).status_code == 200

    small.engine.go_on.clear()
    asyncio.run(crowd())


def test_what_is_counted(small: Running) -> None:
    for body in (asking(0), asking(1), asking(2), asking(n=2)):
        small.post(body)
    text = small.get("/metrics").text
    for line in (
        'pixel_requests_total{route="/v1/chat/completions",status="200"} 3.0',
        'pixel_requests_total{route="/v1/chat/completions",status="400"} 1.0',
        'pixel_episodes_total{stop="answered"} 3.0',
        'pixel_episodes_total{stop="truncated"} 0.0',
        'pixel_operations_total{operation="zoom"} 2.0',
        'pixel_operation_errors_total{error="crop_too_small"} 1.0',
        "pixel_answer_seconds_count 3.0",
        "pixel_requests_running 0.0",
    ):
        assert line in text
    assert 'pixel_tokens_total{kind="completion"}' in text


def wait_until(true: object, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.01)


def test_an_answer_that_was_sent_leaves_no_picture_behind(small: Running) -> None:
    """Not even in rings that Python collects some time later: a picture is megabytes."""

    def pictures() -> int:
        return sum(type(one) is ShownPicture for one in gc.get_objects())

    small.post(asking(1))
    gc.collect()
    before = pictures()
    gc.disable()
    try:
        for stream in (False, True, False):
            assert small.post(asking(1, stream=stream)).status_code == 200
        wait_until(lambda: pictures() == before)
    finally:
        gc.enable()
