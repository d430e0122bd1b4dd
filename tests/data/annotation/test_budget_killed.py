"""A budget holds whatever happens: kills at every point, lost replies, other owners."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asking import KEY, VARIABLE, Told, ask, context, drive_all, request
from endpoint import FakeEndpoint, Reply, Seen, chat

from pixel_core.config import TokenPrices
from pixel_core.data.annotation.account import open_account
from pixel_core.data.annotation.batch.collect import garbled_digest
from pixel_core.data.annotation.ledger import segments
from pixel_core.data.annotation.ledger.index import SEGMENTS
from pixel_core.data.annotation.pricing import dollars, most_price
from pixel_core.errors import BudgetSpent, EndpointError, PixelError
from pixel_core.workflow.store import Store
from pixel_core.workflow.store.workspace import StoredNotes

#: What an answer of the fake endpoint costs.
EACH = 0.00045
MOST = dollars(most_price(TokenPrices(), "test", request("000")))


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


def echo(seen: Seen, number: int) -> Reply:
    return chat(f"said {seen.question}")


def cut_at(monkeypatch: pytest.MonkeyPatch, point: int, after: bool) -> Callable[[], bool]:
    """End at the ``point``-th write to the notes, before or after it; from then on nothing
    is written. Gives whether that point was met."""
    writes = itertools.count()
    whole = StoredNotes.put
    over = threading.Event()

    def put(self: StoredNotes, name: str, data: bytes) -> None:
        if over.is_set():
            raise PixelError("the process is over")
        if next(writes) == point:
            over.set()
            if after:
                whole(self, name, data)
            raise PixelError("the process ends here")
        whole(self, name, data)

    monkeypatch.setattr(StoredNotes, "put", put)
    return over.is_set


@pytest.mark.parametrize("after", [False, True], ids=["before a write", "after a write"])
def test_a_budget_holds_wherever_runs_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    budget = 8 * MOST
    with FakeEndpoint(echo) as endpoint:
        for point in (1, 2, 3, 4, 7):
            with monkeypatch.context() as patch:
                met = cut_at(patch, point, after)
                run = context(tmp_path, endpoint.url, budget_usd=budget, concurrency=1)
                with pytest.raises(PixelError):
                    drive_all(run, [ask(str(n)) for n in range(100, 200)])
            if not met():
                break
        with pytest.raises(BudgetSpent):
            drive_all(run, [ask(str(n)) for n in range(100, 200)])
    assert EACH * len(endpoint.requests) <= budget


def test_what_a_killed_run_had_sent_counts_until_it_is_known(tmp_path: Path) -> None:
    run = context(tmp_path, "http://127.0.0.1:9/v1")
    for _ in range(3):  # as killed between sending and answer
        with open_account(run) as account:
            account.reserve(request("a"))
            account.commit(request("a"))
    with open_account(run) as account:
        assert account.unsettled_usd == pytest.approx(
            3 * dollars(most_price(TokenPrices(), "test", request("a")))
        )
        assert account.spent_usd == 0
        account.reserve(request("b"))  # and nothing is sent
    assert isinstance(run.progress, Told)
    assert any("whose answers never came" in note for note in run.progress.notes)
    with open_account(context(tmp_path, "http://127.0.0.1:9/v1", "other")) as account:
        assert account.unsettled_usd == 0
    broke = context(tmp_path, "http://127.0.0.1:9/v1", budget_usd=3 * MOST)
    with open_account(broke) as account:
        with pytest.raises(BudgetSpent, match="may have been charged") as caught:
            account.reserve(request("c"))
        assert caught.value.final


def test_what_is_released_or_answered_is_settled_for_the_next_run(tmp_path: Path) -> None:
    run = context(tmp_path, "http://127.0.0.1:9/v1")
    with open_account(run) as account:
        for text in "ab":
            account.reserve(request(text))
            account.commit(request(text))
        account.release(request("a"))
        account.record(
            request("b"), b'{"choices": [{"message": {"content": "x"}}], "usage": {}}'
        )
    for _ in range(2):  # with the index, and without
        with open_account(run) as account:
            assert account.unsettled_usd == 0
        for path in tmp_path.rglob("ledger.sqlite*"):
            path.unlink()


def test_reservations_stand_in_any_store_and_outlast_merging(
    tmp_path: Path, store_uri: str
) -> None:
    store = Store.open(store_uri)
    run = context(tmp_path, "http://127.0.0.1:9/v1")
    run = replace(run, shared=store.notes("annotate", "one"), cache=store.cache("annotate"))
    with open_account(run) as account:
        for text in ("000", "111"):
            account.reserve(request(text))
            account.commit(request(text))
        account.release(request("000"))
    names = [name for name in run.shared.names() if name.startswith(SEGMENTS)]
    data, replaced, _ = segments.merged(run.shared, names)
    run.shared.put(f"{SEGMENTS}zz-merged", data)
    for name in replaced[:1]:  # a kill in between leaves the others
        run.shared.delete(name)
    for _ in range(2):
        with open_account(run) as account:
            assert account.unsettled_usd == pytest.approx(MOST)
        for path in store.cache("annotate").glob("ledger.sqlite*"):
            path.unlink()


def test_a_reply_that_is_lost_counts_and_one_that_was_never_sent_does_not(
    tmp_path: Path,
) -> None:
    def slow(seen: Seen, number: int) -> Reply:
        reply = chat("late")
        reply.delay_s = 0.4 if number < 2 else 0.0
        return reply

    with FakeEndpoint(slow) as endpoint:
        run = context(tmp_path, endpoint.url, timeout_s=0.2, budget_usd=1.0)
        results, account = drive_all(run, [ask("000")])
        assert results == {0: ["late"]}
        assert account.unsettled_usd == pytest.approx(2 * MOST)
    nobody = context(tmp_path, "http://127.0.0.1:9/v1", "other", max_retries=0)
    with pytest.raises(EndpointError, match="can't be reached"):
        drive_all(nobody, [ask("111")])
    with open_account(nobody) as account:
        assert account.unsettled_usd == 0


def test_a_lost_reply_is_not_sent_again_without_money_for_it(tmp_path: Path) -> None:
    def slow(seen: Seen, number: int) -> Reply:
        reply = chat("late")
        reply.delay_s = 0.4
        return reply

    with FakeEndpoint(slow) as endpoint:
        run = context(tmp_path, endpoint.url, timeout_s=0.15, budget_usd=1.5 * MOST)
        with pytest.raises(BudgetSpent):
            drive_all(run, [ask("000")])
        assert len(endpoint.requests) == 1


def test_free_endpoints_write_no_reservations(tmp_path: Path) -> None:
    free = {"prompt": 0.0, "cached_prompt": 0.0, "completion": 0.0}
    with FakeEndpoint(echo) as endpoint:
        run = context(tmp_path, endpoint.url, prices=free, concurrency=1)
        drive_all(run, [ask("a", "b")])
    assert len(list(tmp_path.rglob("segments/*"))) == 2


def test_a_garbled_line_may_still_say_whose_it_is() -> None:
    line = b'{"id": "x", "custom_id": "' + b"ab" * 32 + b'", "response": {"sta'
    assert garbled_digest(line) == "ab" * 32
    assert garbled_digest(line[:60]) == garbled_digest(b"") == ""


RUN = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from asking import ask, context, drive_all

run = context(Path(sys.argv[1]), sys.argv[2], concurrency=4, budget_usd=float(sys.argv[3]))
drive_all(run, [ask(f"{{n}}") for n in range(100, 400)])
"""


@pytest.mark.ci
@pytest.mark.parametrize("kills", [4])
def test_a_budget_holds_under_kill_9(tmp_path: Path, kills: int) -> None:
    budget = 40 * MOST
    strike: dict[str, Any] = {"at": 0, "process": None}

    def respond(seen: Seen, number: int) -> Reply:
        reply = echo(seen, number)
        reply.delay_s = 0.01
        if strike["process"] is not None and number == strike["at"]:
            os.kill(strike["process"].pid, signal.SIGKILL)
        return reply

    with FakeEndpoint(respond) as endpoint:
        for kill in range(kills):
            strike["at"] = len(endpoint.requests) + 3 + kill % 3
            command = [sys.executable, "-c", RUN, str(tmp_path), endpoint.url, str(budget)]
            with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
                strike["process"] = process
                process.wait(timeout=120)
            strike["process"] = None
        run = context(tmp_path, endpoint.url, concurrency=4, budget_usd=budget)
        with pytest.raises(BudgetSpent):
            drive_all(run, [ask(f"{n}") for n in range(100, 400)])
        spent = EACH * len(endpoint.requests)
        # It holds, and what was answered and kept is not taken for lost.
        assert spent <= budget
        assert len(endpoint.requests) > kills * 3
