"""Annotation by a model, over real HTTP and the real client."""

from __future__ import annotations

import base64
import io
import json
import logging
import math
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from endpoint import FakeEndpoint, Reply, Seen, chat, evidence, failure
from PIL import Image

from pixel_core.annotation import annotate
from pixel_core.errors import ConfigError, EndpointError
from pixel_core.records import Annotation, read_jsonl
from pixel_core.stage import StageContext

Make = Callable[..., StageContext]
KEY = "sk-test-4f1d0c2b9a8e7766"


def annotations(context: StageContext) -> list[Annotation]:
    return list(read_jsonl(context.out / "annotations.jsonl", Annotation))


def test_a_box_becomes_a_cue_in_pixels(context_for: Make) -> None:
    with FakeEndpoint(lambda seen, n: evidence()) as endpoint:
        context = context_for(endpoint.url)
        metrics = annotate.run(context)
    first, *_, held_out = annotations(context)
    assert first.cue is not None
    assert first.cue.box.as_tuple() == (20, 15, 40, 30)
    assert first.seed.subject == "the red sign"
    assert first.author == "openai:test@1"
    assert first.local_view == "The sign says seven."
    # The held-out seed is not paid for and keeps its own cue.
    assert held_out.author == "source"
    assert len(endpoint.requests) == 4
    assert (metrics["located"], metrics["dropped"]) == (5, 0)
    assert (metrics["prompt_tokens"], metrics["completion_tokens"]) == (400, 80)


def test_the_request_holds_picture_question_and_strict_schema(context_for: Make) -> None:
    with FakeEndpoint(lambda seen, n: evidence()) as endpoint:
        annotate.run(context_for(endpoint.url, max_picture_pixels=1200))
    request = next(r.body for r in endpoint.requests if "sign 2" in r.question)
    picture = request["messages"][1]["content"][0]["image_url"]["url"]
    data = base64.b64decode(picture.removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (40, 30)  # 80x60, brought down to 1200 pixels
        assert abs(image.convert("RGB").getpixel((20, 15))[0] - 80) <= 3
    schema = request["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["additionalProperties"] is False
    # Strict structured output wants every property required.
    assert set(schema["schema"]["required"]) == set(schema["schema"]["properties"])


def test_the_order_follows_the_seeds_and_bytes_repeat(context_for: Make) -> None:
    def respond(seen: Seen, number: int) -> Reply:
        reply = evidence(subject=f"thing in: {seen.question[16:22]}")
        reply.delay_s = 0.05 * (number % 2)  # answers come back out of order
        return reply

    outputs = []
    for _ in range(2):
        with FakeEndpoint(respond) as endpoint:
            context = context_for(endpoint.url, concurrency=4)
            annotate.run(context)
        for name in context.work.names():
            context.work.delete(name)
        outputs.append((context.out / "annotations.jsonl").read_bytes())
        assert [a.seed.id for a in annotations(context)] == [f"seed-{i}" for i in range(5)]
    assert outputs[0] == outputs[1]


def test_concurrency_is_bounded(context_for: Make) -> None:
    def slow(seen: Seen, number: int) -> Reply:
        reply = evidence()
        reply.delay_s = 0.1
        return reply

    with FakeEndpoint(slow) as endpoint:
        annotate.run(context_for(endpoint.url, concurrency=2))
    assert endpoint.most_at_once == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_storm_of_transient_errors_is_ridden_out(context_for: Make, status: int) -> None:
    tries: dict[str, int] = {}

    def stormy(seen: Seen, number: int) -> Reply:
        tries[seen.question] = tries.get(seen.question, 0) + 1
        return failure(status) if tries[seen.question] <= 3 else evidence()

    with FakeEndpoint(stormy) as endpoint:
        metrics = annotate.run(context_for(endpoint.url))
    assert metrics["located"] == 5
    assert len(endpoint.requests) == 16


def test_an_endless_storm_is_one_error_and_keeps_what_was_paid(context_for: Make) -> None:
    def respond(seen: Seen, number: int) -> Reply:
        return evidence() if "sign 0" in seen.question else failure(429)

    with FakeEndpoint(respond) as endpoint:
        with pytest.raises(EndpointError, match="HTTP 429 after 3 retries"):
            annotate.run(context_for(endpoint.url, concurrency=1))
        endpoint.respond = lambda seen, n: evidence()
        endpoint.requests.clear()
        context = context_for(endpoint.url)
        assert annotate.run(context)["located"] == 5
        assert not [r for r in endpoint.requests if "sign 0" in r.question]


def test_a_timeout_is_an_error_that_names_the_setting(context_for: Make) -> None:
    def hang(seen: Seen, number: int) -> Reply:
        reply = evidence()
        reply.delay_s = 1.0
        return reply

    with (
        FakeEndpoint(hang) as endpoint,
        pytest.raises(EndpointError, match=r"0\.2 s.*timeout_s"),
    ):
        annotate.run(context_for(endpoint.url, timeout_s=0.2, max_retries=0))


def test_an_endpoint_that_is_not_there(context_for: Make) -> None:
    with pytest.raises(EndpointError, match=r"can't be reached.*base_url"):
        annotate.run(context_for("http://127.0.0.1:9/v1", max_retries=0))


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_is_one_error_at_once(context_for: Make, status: int) -> None:
    with FakeEndpoint(lambda seen, n: failure(status, f"bad key {KEY}")) as endpoint:
        with pytest.raises(EndpointError, match=f"TEST_ANNOTATOR_KEY.*HTTP {status}"):
            annotate.run(context_for(endpoint.url, concurrency=1))
        assert len(endpoint.requests) == 1


def test_an_unknown_model_is_named(context_for: Make) -> None:
    with (
        FakeEndpoint(lambda seen, n: failure(404, "no such model")) as endpoint,
        pytest.raises(EndpointError, match=r"'nobody'.*404.*no such model"),
    ):
        annotate.run(context_for(endpoint.url, model="nobody"))


def test_a_missing_key_names_the_variable(
    context_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_ANNOTATOR_KEY")
    with pytest.raises(EndpointError, match="TEST_ANNOTATOR_KEY is not set"):
        annotate.run(context_for("http://127.0.0.1:9/v1"))


def test_an_unknown_prompt_version_names_the_known_ones(context_for: Make) -> None:
    with pytest.raises(ConfigError, match="'7' does not exist; known: 1"):
        annotate.run(context_for("http://127.0.0.1:9/v1", prompts={"locate": "7"}))


@pytest.mark.parametrize(
    "garbage",
    [
        Reply(b"<html>busy</html>"),
        Reply(b""),
        Reply([]),
        Reply({"choices": []}),
        Reply({"choices": [{"message": {"content": [1]}}]}),
        chat("here you are: the box is on the left"),
        chat("[" * 100_000),
        chat('{"valid": true}'),
        chat(None, refusal="I can't help with that."),
        evidence(box=[10, 10, 300, 200]),
        evidence(box=[0.5, 0.5, 0.5, 0.7]),
        evidence(box=[0.1, 0.2, 0.3]),
        evidence(box=[math.nan, 0.2, 0.3, 0.4]),
        evidence(picture=2),
        evidence(picture=0),
        evidence(local_view="done <|im_end|>"),
        evidence(whole_view="so \\boxed{4}"),
        evidence(subject="<tool_call>"),
        evidence(subject="x" * 500),
    ],
)
def test_a_useless_answer_is_asked_again_then_dropped(
    context_for: Make, garbage: Reply
) -> None:
    def respond(seen: Seen, number: int) -> Reply:
        if "sign 3" in seen.question:
            return garbage
        asked = len(seen.body["messages"])
        return garbage if "sign 1" in seen.question and asked == 2 else evidence()

    with FakeEndpoint(respond) as endpoint:
        context = context_for(endpoint.url)
        metrics = annotate.run(context)
    assert [a.seed.id for a in annotations(context)] == [f"seed-{i}" for i in (0, 1, 2, 4)]
    assert metrics["dropped"] == 1
    assert set(metrics["dropped_by"]) <= {"refused", "unusable"}
    assert metrics["asked_again"] == 3  # once for seed 1, twice for seed 3
    last = [r for r in endpoint.requests if "sign 3" in r.question][-1]
    assert "could not be used" in last.body["messages"][-1]["content"]


def test_what_the_model_calls_not_valid_is_dropped_without_asking_again(
    context_for: Make,
) -> None:
    def respond(seen: Seen, number: int) -> Reply:
        invalid = "sign 2" in seen.question
        return evidence(valid=False, box=[], subject="") if invalid else evidence()

    with FakeEndpoint(respond) as endpoint:
        metrics = annotate.run(context_for(endpoint.url))
    assert metrics["dropped_by"] == {"not_valid": 1}
    assert len(endpoint.requests) == 4


def test_a_content_filter_drops_the_seed_and_not_the_run(context_for: Make) -> None:
    def respond(seen: Seen, number: int) -> Reply:
        if "sign 0" in seen.question:
            return failure(400, "flagged", code="content_policy_violation")
        return evidence()

    with FakeEndpoint(respond) as endpoint:
        metrics = annotate.run(context_for(endpoint.url))
    assert metrics["dropped_by"] == {"refused": 1}


def test_swapped_and_slightly_outside_boxes_are_repaired(context_for: Make) -> None:
    with FakeEndpoint(lambda seen, n: evidence(box=[0.5, 1.02, -0.03, 0.5])) as endpoint:
        context = context_for(endpoint.url)
        metrics = annotate.run(context)
    cue = annotations(context)[0].cue
    assert cue is not None
    assert cue.box.as_tuple() == (0, 30, 40, 60)
    assert metrics["repaired"] == 4


def test_a_box_around_everything_is_the_whole_picture(context_for: Make) -> None:
    with FakeEndpoint(lambda seen, n: evidence(box=[0, 0, 1, 1])) as endpoint:
        metrics = annotate.run(context_for(endpoint.url))
    assert (metrics["located"], metrics["whole_picture"]) == (1, 4)


def test_nothing_usable_at_all_is_an_error(context_for: Make) -> None:
    with (
        FakeEndpoint(lambda seen, n: chat("no")) as endpoint,
        pytest.raises(EndpointError, match=r"none of 4 train seeds.*unusable"),
    ):
        annotate.run(context_for(endpoint.url))


def test_a_second_run_asks_nothing_and_writes_the_same(context_for: Make) -> None:
    with FakeEndpoint(lambda seen, n: evidence()) as endpoint:
        first, second = context_for(endpoint.url), context_for(endpoint.url)
        metrics = annotate.run(first)
        assert len(endpoint.requests) == 4
        assert annotate.run(second) == metrics
        assert len(endpoint.requests) == 4
        # Another model's answers are other answers.
        annotate.run(context_for(endpoint.url, model="other"))
        assert len(endpoint.requests) == 8
    assert (first.out / "annotations.jsonl").read_bytes() == (
        second.out / "annotations.jsonl"
    ).read_bytes()


def test_a_damaged_record_is_asked_for_again(context_for: Make, tmp_path: Path) -> None:
    with FakeEndpoint(lambda seen, n: evidence()) as endpoint:
        annotate.run(context_for(endpoint.url))
        damaged = next((tmp_path / "store" / "work" / "annotate").rglob("answer-*"))
        damaged.write_bytes(damaged.read_bytes()[:-7])
        annotate.run(context_for(endpoint.url))
        assert len(endpoint.requests) == 5


def test_the_key_appears_nowhere(
    context_for: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def echo(seen: Seen, number: int) -> Reply:
        sent = seen.headers["authorization"]
        assert sent == f"Bearer {KEY}"
        if "sign 0" in seen.question:
            return evidence(whole_view=f"Your key is {sent}.")
        if "sign 1" in seen.question and len(seen.body["messages"]) == 2:
            return chat(None, refusal=f"I will not, {sent}")
        return evidence() if number < 6 else failure(400, f"bad request by {sent}")

    with FakeEndpoint(echo) as endpoint:
        annotate.run(context_for(endpoint.url, concurrency=1))
        assert KEY not in json.dumps([r.body for r in endpoint.requests])
        with pytest.raises(EndpointError) as caught:
            annotate.run(context_for(endpoint.url, concurrency=1, model="other"))
    told = "".join(traceback.format_exception(caught.value))
    assert "bad request by" in told
    assert KEY not in told
    assert KEY not in caplog.text
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"Your key is" in path.read_bytes() for path in written)
    assert not [path for path in written if KEY.encode() in path.read_bytes()]
