"""Many procedures at once against a real endpoint that misbehaves in every way."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from asking import KEY, VARIABLE, Told, ask, context, drive_all, request
from endpoint import FakeEndpoint, Reply, Seen, chat, failure

from pixel_core.data.annotation.account import open_account
from pixel_core.data.annotation.ledger.segments import Facts
from pixel_core.data.annotation.live import drive
from pixel_core.data.annotation.requests import Procedure, endpoint_of
from pixel_core.errors import EndpointError
from pixel_core.models.endpoint.connection import Connection


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


def echo(seen: Seen, number: int) -> Reply:
    return chat(f"said {seen.question}")


def slowly(seconds: float, reply: Reply) -> Reply:
    reply.delay_s = seconds
    return reply


def test_each_procedure_gets_the_answers_to_its_own_questions(tmp_path: Path) -> None:
    with FakeEndpoint(echo) as endpoint:
        run = context(tmp_path, endpoint.url, concurrency=8)
        results, account = drive_all(run, [ask(f"{n}", f"{n} again") for n in range(40)])
    assert results == {n: [f"said {n}", f"said {n} again"] for n in range(40)}
    assert len(endpoint.requests) == 80
    assert account.counters.requests == 80
    assert account.counters.prompt_tokens == 8000


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    def slow(seen: Seen, number: int) -> Reply:
        return slowly(0.05, echo(seen, number))

    with FakeEndpoint(slow) as endpoint:
        run = context(tmp_path, endpoint.url, concurrency=8)
        # Equal questions under way at the same time are one question.
        results, _ = drive_all(run, [ask("the same") for _ in range(20)])
        assert len(endpoint.requests) == 1
        assert set(map(str, results.values())) == {"['said the same']"}
        # Another computation, at another address, with another key.
        again, account = drive_all(
            context(tmp_path, endpoint.url + "/", "second", timeout_s=9.0), [ask("the same")]
        )
        assert (again, len(endpoint.requests)) == ({0: ["said the same"]}, 1)
        assert (account.spent_usd, account.counters.remembered) == (0.0, 1)
        # Another model is another question.
        drive_all(context(tmp_path, endpoint.url, "third", model="other"), [ask("the same")])
        assert len(endpoint.requests) == 2


def test_what_is_on_record_needs_no_key_and_no_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeEndpoint(echo) as endpoint:
        drive_all(context(tmp_path, endpoint.url), [ask("a", "b")])
    monkeypatch.delenv(VARIABLE)
    results, _ = drive_all(context(tmp_path, "http://127.0.0.1:9/v1", "2"), [ask("a", "b")])
    assert results == {0: ["said a", "said b"]}


def test_concurrency_is_bounded_and_used(tmp_path: Path) -> None:
    with FakeEndpoint(lambda seen, n: slowly(0.05, chat("yes"))) as endpoint:
        run = context(tmp_path, endpoint.url, concurrency=6)
        drive_all(run, [ask(str(n)) for n in range(30)])
    assert endpoint.most_at_once == 6


def test_a_million_seeds_are_not_begun_at_once(tmp_path: Path) -> None:
    begun: list[int] = []

    def procedures() -> Iterator[object]:
        for number in range(1_000_000):
            begun.append(number)
            yield ask(str(number))

    def one_hangs(seen: Seen, number: int) -> Reply:
        return slowly(0.5 if seen.question == "3" else 0.0, chat("yes"))

    with FakeEndpoint(one_hangs) as endpoint:
        run = context(tmp_path, endpoint.url, concurrency=4)
        ended: set[int] = set()
        with (
            open_account(run) as account,
            closing(drive(procedures(), run, account)) as results,  # type: ignore[arg-type]
        ):
            while len(ended) < 80:
                ended.add(next(results)[0])
                # The oldest holds the others back: a caller that sorts holds few results.
                oldest = min(number for number in begun if number not in ended)
                assert len(begun) - oldest <= 65
        assert 3 in ended


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_is_met_once(tmp_path: Path, status: int) -> None:
    def refuse(seen: Seen, number: int) -> Reply:
        return slowly(0.1, failure(status, f"bad key {KEY}"))

    with FakeEndpoint(refuse) as endpoint:
        run = context(tmp_path, endpoint.url, concurrency=16)
        with pytest.raises(EndpointError, match=f"{VARIABLE}.*HTTP {status}"):
            drive_all(run, [ask(str(n)) for n in range(100)])
        assert len(endpoint.requests) == 1


def test_an_empty_account_is_not_retried(tmp_path: Path) -> None:
    def broke(seen: Seen, number: int) -> Reply:
        return failure(429, "you exceeded your quota", "insufficient_quota")

    with FakeEndpoint(broke) as endpoint:
        with pytest.raises(EndpointError, match=f"behind {VARIABLE} has no money left"):
            drive_all(context(tmp_path, endpoint.url), [ask("a"), ask("b")])
        assert len(endpoint.requests) == 1


def test_an_unknown_model_and_a_refused_request_say_what_to_mend(tmp_path: Path) -> None:
    for status, told in ((404, r"does not know the model 'test'"), (400, "must take pictures")):
        with (
            FakeEndpoint(lambda seen, n, status=status: failure(status, "no such")) as endpoint,
            pytest.raises(EndpointError, match=told),
        ):
            drive_all(context(tmp_path, endpoint.url), [ask("a")])


def test_a_time_out_names_the_setting(tmp_path: Path) -> None:
    with FakeEndpoint(lambda seen, n: slowly(0.5, chat("late"))) as endpoint:
        run = context(tmp_path, endpoint.url, timeout_s=0.1, max_retries=0)
        with pytest.raises(EndpointError, match=r"no answer in 0\.1 s.*timeout_s"):
            drive_all(run, [ask("a")])


def test_an_endpoint_that_is_not_there_is_named_without_credentials(tmp_path: Path) -> None:
    run = context(tmp_path, "http://user:secret@127.0.0.1:9/v1?token=secret", max_retries=0)
    with pytest.raises(EndpointError, match=r"http://127\.0\.0\.1:9/v1 can't be") as caught:
        drive_all(run, [ask("a")])
    assert "secret" not in str(caught.value)


def test_dropped_connections_are_tried_again(tmp_path: Path) -> None:
    """A server that hangs up: before any byte, then in the middle of a body."""
    served: list[int] = []
    body = json.dumps(chat("yes").body).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    whole = head % len(body) + body

    def serve(listener: socket.socket) -> None:
        for part in (b"", whole[:-20], whole):
            connection, _ = listener.accept()
            while b'"question"' not in connection.recv(65536):
                pass
            served.append(len(part))
            connection.sendall(part)
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        run = context(tmp_path, url, max_retries=2)

        def procedure() -> Procedure[str | None]:
            reply = yield request("a", max_tokens=1, response_format={"last": "question"})
            return reply.content

        results, account = drive_all(run, [procedure])
        thread.join()
    assert results == {0: "yes"}
    assert len(served) == 3
    assert account.counters.requests == 1


def test_a_refusal_by_an_error_is_an_answer_and_costs_nothing(tmp_path: Path) -> None:
    def refuse(seen: Seen, number: int) -> Reply:
        return failure(400, "flagged", code="content_policy_violation")

    def procedure() -> Procedure[tuple[str | None, str]]:
        reply = yield request("a")
        return reply.content, reply.refusal

    with FakeEndpoint(refuse) as endpoint:
        run = context(tmp_path, endpoint.url)
        for _ in range(2):
            results, account = drive_all(run, [procedure])
            assert results == {0: (None, "content_policy_violation")}
        assert len(endpoint.requests) == 1
        assert account.spent_usd == 0


RUBBISH = {
    "html": b"<html>busy</html>",
    "nothing": b"",
    "cut": b'{"choices": [{"mess',
    "a list": b"[1]",
    "an error": b'{"error": {"message": "overloaded", "code": 502}}',
    "no choices": b'{"id": "x", "choices": [], "model": "test"}',
    "nulls": b'{"id": null, "choices": null, "usage": null}',
    "null content": b'{"choices": [{"message": {"content": null}, "finish_reason": null}]}',
    "blank": b'{"choices": [{"message": {"content": " "}}], "usage": {"completion_tokens": 0}}',
    "no bytes of JSON": b"\xff\xfe{",
}


@pytest.mark.parametrize("page", RUBBISH.values(), ids=RUBBISH.keys())
def test_rubbish_is_an_outage_and_neither_kept_nor_charged(tmp_path: Path, page: bytes) -> None:
    with FakeEndpoint(lambda seen, n: Reply(page)) as endpoint:
        run = context(tmp_path, endpoint.url, max_retries=1, concurrency=8)
        with pytest.raises(EndpointError, match=r"without a text .*2 times|HTTP 502 after 1 "):
            drive_all(run, [ask(str(n)) for n in range(20)])
        # One at a time until something is answered.
        assert endpoint.most_at_once == 1
        tries = len(endpoint.requests)
        assert tries <= 20
        endpoint.respond = echo
        results, account = drive_all(run, [ask(str(n)) for n in range(20)])
    assert results == {n: [f"said {n}"] for n in range(20)}
    real = 20 * 0.00045
    # A cut completion was written by somebody: about what is seen of it counts.
    assert real <= account.spent_usd <= real + tries * 0.0004
    assert (account.spent_usd > real + 1e-9) == (page == RUBBISH["cut"])
    assert account.unsettled_usd == 0


def test_rubbish_that_passes_is_asked_again_and_costs_what_it_says(tmp_path: Path) -> None:
    billed = {"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 0}}

    def once(seen: Seen, number: int) -> Reply:
        return Reply(billed) if number == 0 else chat("yes")

    with FakeEndpoint(once) as endpoint:
        results, account = drive_all(context(tmp_path, endpoint.url), [ask("a")])
        assert results == {0: ["yes"]}
        assert account.spent_usd == pytest.approx(0.0025 + 0.00045)
        assert account.counters.requests == 2
        # An answer without words, for which tokens were paid, is one.
        endpoint.respond = lambda seen, n: chat(None)
        for _ in range(2):
            results, _ = drive_all(context(tmp_path, endpoint.url), [ask("b")])
            assert results == {0: [None]}
        assert len(endpoint.requests) == 3


def test_a_record_of_rubbish_is_not_believed(tmp_path: Path) -> None:
    """As older versions kept it: a healthy endpoint is asked, and its answer stays."""
    run = context(tmp_path, "http://127.0.0.1:9/v1")
    with open_account(run) as account:
        digest = bytes.fromhex(account.digest(request("a")))
        account.ledger.record(
            digest, b'{"choices": []}', Facts("first", "test", "look", price=5)
        )
    with FakeEndpoint(echo) as endpoint:
        for _ in range(2):
            run = context(tmp_path, endpoint.url)
            results, account = drive_all(run, [ask("a")])
            assert results == {0: ["said a"]}
            assert account.spent_usd == pytest.approx(0.00045)
        assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("refusal", "name"),
    [
        (
            "Unsupported value: 'temperature' does not support 0.0 with this model.",
            "temperature",
        ),
        ("`temperature` is deprecated for this model.", "temperature"),
        ("Unrecognized request argument supplied: max_completion_tokens", "max_tokens"),
    ],
)
def test_a_refused_parameter_is_left_out_once_for_all(
    tmp_path: Path, refusal: str, name: str
) -> None:
    def picky(seen: Seen, number: int) -> Reply:
        sent = "temperature" if name == "temperature" else "max_completion_tokens"
        return failure(400, refusal) if sent in seen.body else echo(seen, number)

    with FakeEndpoint(picky) as endpoint:
        run = context(tmp_path, endpoint.url)
        results, _ = drive_all(run, [ask(str(n)) for n in range(6)])
        assert len(results) == 6
        assert 7 <= len(endpoint.requests) <= 9  # refused by whoever went first
        assert (name in endpoint.requests[-1].body) == (name == "max_tokens")
    assert isinstance(run.progress, Told)
    assert any("refuses a parameter" in note for note in run.progress.notes)
    # With each answer stands how its request was changed.
    told = b"-temperature" if name == "temperature" else b"max_completion_tokens>max_tokens"
    written = b"".join(p.read_bytes() for p in tmp_path.rglob("segments/*") if p.is_file())
    assert written.count(told) >= 5


def test_what_is_omitted_by_a_setting_is_never_sent(tmp_path: Path) -> None:
    with FakeEndpoint(echo) as endpoint:
        drive_all(context(tmp_path, endpoint.url, omit=["temperature"]), [ask("a")])
        assert "temperature" not in endpoint.requests[0].body
        assert "max_completion_tokens" in endpoint.requests[0].body


def test_an_error_of_a_procedure_is_raised_and_neighbours_are_kept(tmp_path: Path) -> None:
    def broken() -> Procedure[None]:
        yield request("first")
        raise ValueError("a bug")

    with FakeEndpoint(lambda seen, n: slowly(0.1 * (n > 0), chat("yes"))) as endpoint:
        run = context(tmp_path, endpoint.url, concurrency=3)
        with pytest.raises(ValueError, match="a bug"):
            drive_all(run, [broken, ask("second"), ask("third")])
        asked = len(endpoint.requests)
        drive_all(run, [ask("second"), ask("third")])
    assert len(endpoint.requests) == 3
    assert asked <= 3


def test_leaving_early_waits_shortly_and_keeps_what_was_answered(tmp_path: Path) -> None:
    """The slow answer would take longer than a test may."""

    def respond(seen: Seen, number: int) -> Reply:
        return slowly(600.0 if seen.question == "slow" else 0.0, chat("yes"))

    with FakeEndpoint(respond) as endpoint:
        run = context(tmp_path, endpoint.url, timeout_s=900.0)
        with open_account(run) as account:
            with closing(drive([ask("quick"), ask("slow")], run, account)) as results:
                assert next(results) == (0, ["yes"])
            assert account.outstanding <= 1
        asked = len(endpoint.requests)
        drive_all(run, [ask("quick")])
        assert len(endpoint.requests) == asked


def test_requests_a_minute_are_bounded(tmp_path: Path) -> None:
    at: list[float] = []

    def respond(seen: Seen, number: int) -> Reply:
        at.append(time.monotonic())
        return chat("yes")

    with FakeEndpoint(respond) as endpoint:
        # 600 a minute, of which 20 may come at once: then one each 103 ms.
        run = context(tmp_path, endpoint.url, concurrency=8, requests_per_minute=600)
        drive_all(run, [ask(str(n)) for n in range(26)])
    assert at[25] - at[0] > 0.45


def test_the_key_appears_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def tell(seen: Seen, number: int) -> Reply:
        said = seen.headers["authorization"]
        assert said == f"Bearer {KEY}"
        if number == 0:
            return chat(f"your key is {said}")
        return failure(400, f"bad request by {said}")

    with FakeEndpoint(tell) as endpoint:
        run = context(tmp_path, endpoint.url, concurrency=1)
        with pytest.raises(EndpointError) as caught:
            drive_all(run, [ask("a", "b")])
        shown = repr(Connection(endpoint_of(run.config.annotate.openai)))
        assert KEY not in json.dumps([seen.body for seen in endpoint.requests])
    told = "".join(traceback.format_exception(caught.value))
    assert "bad request by" in told
    assert isinstance(run.progress, Told)
    for text in (told, shown, caplog.text, *run.progress.notes):
        assert KEY not in text
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"your key is Bearer [key]" in data for data in written)
    assert not any(KEY.encode() in data for data in written)
