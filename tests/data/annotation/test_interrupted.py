"""What is paid for survives: kill -9 and Ctrl-C at any moment, over real HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from asking import KEY, VARIABLE, ask, context, drive_all
from endpoint import FakeEndpoint, Reply, Seen, chat

pytestmark = pytest.mark.ci

#: Three questions each, the later ones after the earlier ones' answers.
SEEDS = 30
RUN = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from asking import ask, context, drive_all

run = context(Path(sys.argv[1]), sys.argv[2], concurrency=4, timeout_s=120.0)
drive_all(run, [ask(*(f"{{n}}-{{k}}" for k in range(3))) for n in range({SEEDS})])
"""


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


class Counting:
    """An endpoint that answers after a moment, and signals a process at a given request."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.answered: set[str] = set()
        self.strike_at = 0
        self.after_s = 0.0
        self.strike = lambda: None

    def __call__(self, seen: Seen, number: int) -> Reply:
        self.asked[seen.question] += 1
        if self.asked.total() == self.strike_at:
            threading.Timer(self.after_s, self.strike).start()
        reply = chat(f"said {seen.question}")
        reply.delay_s = 0.01
        return reply


def start(folder: Path, url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RUN, str(folder), url])


def test_kill_9_at_several_moments_pays_for_nothing_twice(tmp_path: Path) -> None:
    respond = Counting()
    with FakeEndpoint(respond) as endpoint:
        # At a request's arrival, and while its answer is being stored.
        for strike_at, after_s in ((7, 0.0), (40, 0.015)):
            process = start(tmp_path, endpoint.url)
            respond.strike_at, respond.after_s = strike_at, after_s
            respond.strike = lambda process=process: os.kill(process.pid, signal.SIGKILL)
            process.wait(timeout=60)
            assert process.returncode == -signal.SIGKILL
        respond.strike_at = 0
        asked = [ask(*(f"{n}-{k}" for k in range(3))) for n in range(SEEDS)]
        results, account = drive_all(context(tmp_path, endpoint.url, concurrency=4), asked)
    assert results == {n: [f"said {n}-{k}" for k in range(3)] for n in range(SEEDS)}
    # Only what was not recorded yet when the process died can have been sent again: of each
    # kill four requests under way, and four answers that were being stored.
    again = {question: times for question, times in respond.asked.items() if times > 1}
    assert len(again) <= 2 * 8
    # What each run paid is counted, once.
    assert account.counters.requests == 3 * SEEDS
    assert len(respond.asked) == 3 * SEEDS


def _stored(segments: Path) -> bytes:
    """All that is on record; small segments may be merged while this looks."""
    if not segments.is_dir():
        return b""
    found = []
    for path in segments.iterdir():
        with suppress(FileNotFoundError):
            found.append(path.read_bytes())
    return b"".join(found)


def test_no_recorded_answer_is_asked_for_again(tmp_path: Path) -> None:
    """Killed once answers are seen to be stored; exactly those are not sent again."""
    respond = Counting()
    segments = tmp_path / "store" / "notes" / "annotate" / "ledger" / "segments"
    with FakeEndpoint(respond) as endpoint:
        process = start(tmp_path, endpoint.url)
        deadline = time.monotonic() + 60
        while _stored(segments).count(b"said ") < 8:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
        process.wait()
        time.sleep(0.05)  # what was under way has arrived
        stored = _stored(segments)
        kept = [question for question in respond.asked if f"said {question}".encode() in stored]
        assert len(kept) >= 6
        respond.asked.clear()
        asked = [ask(*(f"{n}-{k}" for k in range(3))) for n in range(SEEDS)]
        drive_all(context(tmp_path, endpoint.url, concurrency=4), asked)
    assert set(respond.asked) == {f"{n}-{k}" for n in range(SEEDS) for k in range(3)} - set(
        kept
    )
    assert set(respond.asked.values()) == {1}


def test_ctrl_c_stops_at_once_and_keeps_what_was_answered(tmp_path: Path) -> None:
    def then_hang(seen: Seen, number: int) -> Reply:
        reply = chat(f"said {seen.question}")
        reply.delay_s = 0.0 if number < 9 else 600.0
        return reply

    with FakeEndpoint(then_hang) as endpoint:
        process = start(tmp_path, endpoint.url)
        deadline = time.monotonic() + 60
        while len(endpoint.requests) < 13:  # nine answered, four hang
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)  # those that hang would take five times as long
        answered = {seen.question for seen in endpoint.requests[:9]}
        endpoint.respond = lambda seen, number: chat(f"said {seen.question}")
        endpoint.requests.clear()
        run = context(tmp_path, endpoint.url, concurrency=4)
        drive_all(run, [ask(*(f"{n}-{k}" for k in range(3))) for n in range(SEEDS)])
    assert len(endpoint.requests) == 3 * SEEDS - 9
    assert not answered & {seen.question for seen in endpoint.requests}
    assert json.loads(run.work.get("costs.json") or b"{}")["requests"] == 3 * SEEDS
