"""What is paid for survives: kill -9, Ctrl-C, a failing neighbour."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from endpoint import FakeEndpoint, Reply, Seen, evidence

from pixel_core.annotation import annotate
from pixel_core.annotation.in_threads import in_threads
from pixel_core.stage import StageContext

RUN = """
import pickle, sys
from pixel_core.annotation import annotate
annotate.run(pickle.loads(open(sys.argv[1], "rb").read()))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_never_pays_twice(
    context_for: Callable[..., StageContext], tmp_path: Path, how: signal.Signals
) -> None:
    def two_then_hang(seen: Seen, number: int) -> Reply:
        reply = evidence()
        reply.delay_s = 0.0 if number < 2 else 60.0
        return reply

    with FakeEndpoint(two_then_hang) as endpoint:
        context = context_for(endpoint.url, timeout_s=120.0)
        (tmp_path / "context").write_bytes(pickle.dumps(context))
        process = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path / "context")])
        deadline = time.monotonic() + 60
        while len(context.work.names()) < 2 or len(endpoint.requests) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        told = time.monotonic()
        process.send_signal(how)
        process.wait(timeout=30)
        # Requests that hang for a minute don't hold the program.
        assert time.monotonic() - told < 8
        answered = {seen.question for seen in endpoint.requests[:2]}

        endpoint.respond = lambda seen, number: evidence()
        endpoint.requests.clear()
        assert annotate.run(context)["located"] == 5
        assert len(endpoint.requests) == 2
        assert not answered & {seen.question for seen in endpoint.requests}


def test_a_failure_begins_nothing_more_but_lets_neighbours_end() -> None:
    begun: list[int] = []
    ended: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 0:
            time.sleep(0.05)
            raise ValueError("the first")
        time.sleep(0.2)
        ended.append(number)
        return number

    with pytest.raises(ValueError, match="the first"):
        list(in_threads(work, range(100), 3))
    assert len(begun) == 3
    assert sorted(ended) == [1, 2]


def test_leaving_early_begins_nothing_more() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        time.sleep(0.01)
        return number * 10

    with closing(in_threads(work, range(1000), 2)) as results:
        position, result = next(results)
    assert result == position * 10
    assert len(begun) < 10
    assert dict(in_threads(work, range(5), 2)) == {n: n * 10 for n in range(5)}
