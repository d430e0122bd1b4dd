"""math-verify in a process of its own: right answers, hostile ones, lost processes."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from graded_rollouts import ask, box, said

from pixel_core.errors import StageFailed
from pixel_core.rewards.graders.maths import maths
from pixel_core.rewards.graders.maths_judge import JUDGE, Judge, MathsVerdict

#: 9 to the power of a number with 369,693,100 digits.
ENDLESS = r"\boxed{9^{9^{9^9}}}"


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    judge = Judge(seconds=0.5)
    yield judge
    judge.close()


@pytest.mark.parametrize(
    ("answer", "reference", "right"),
    [
        (r"\frac{1}{2}", "1/2", True),
        ("0.5", r"\dfrac12", True),
        ("x^2+2x+1", "(x+1)^2", True),
        (r"\{1, 2\}", r"\{2, 1\}", True),
        ("3", "4", False),
        ("0.5", "1/3", False),
        ("", "4", False),
        ("1" * 600, "1" * 600, False),
        (r"\frac{", "4", False),
    ],
)
def test_equal_as_expressions(answer: str, reference: str, right: bool) -> None:
    assert maths(ask(reference), box(answer)) == right
    assert maths(ask("17", reference), box(answer)) == right


def test_what_is_stated_without_a_box() -> None:
    assert maths(ask("1/2"), said("So the answer is 0.5.")) == 1
    assert maths(ask("1/2"), said("The answer is 0.5\nThe answer is 0.7")) == 0
    assert maths(ask("1/2"), said("perhaps 0.5")) == 0


def test_its_process_is_held_small_and_knows_no_secret(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-it")
    judge.close()  # so that the next is started with the secret near
    judge.compare(r"\boxed{1}", r"\boxed{1}")
    pid = judge.pid
    assert pid is not None
    assert resource.prlimit(pid, resource.RLIMIT_AS)[0] == 1 << 30
    assert b"sk-not-for-it" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_an_endless_expression_is_stopped_and_counted(judge: Judge) -> None:
    before = Counter(judge.counts)
    assert judge.compare(r"\boxed{3}", ENDLESS) is MathsVerdict.TIMEOUT
    assert judge.compare(r"\boxed{2}", r"\boxed{1+1}") is MathsVerdict.RIGHT, "another process"
    added = Counter(judge.counts) - before
    assert added == {MathsVerdict.RIGHT: 1, MathsVerdict.TIMEOUT: 1}
    assert judge.compare("1" * 30_000, "1") is MathsVerdict.TOO_LONG


def test_a_lost_process_costs_no_answer_and_two_are_the_questions(judge: Judge) -> None:
    judge.compare(r"\boxed{1}", r"\boxed{1}")
    assert judge.pid is not None
    os.kill(judge.pid, signal.SIGKILL)
    assert judge.compare(r"\boxed{1}", r"\boxed{1}") is MathsVerdict.RIGHT
    done = threading.Event()

    def kill() -> None:
        killed = None
        while not done.wait(0.1):
            if judge.pid not in (None, killed):
                killed = judge.pid
                os.kill(killed, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    verdict = judge.compare(r"\boxed{3}", ENDLESS)
    done.set()
    killer.join()
    assert verdict is MathsVerdict.CRASHED


def test_an_interrupted_question_leaves_no_reply_to_the_next(judge: Judge) -> None:
    judge.compare(r"\boxed{1}", r"\boxed{1}")
    main = threading.main_thread().ident
    threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        judge.compare(r"\boxed{3}", ENDLESS)
    assert judge.compare(r"\boxed{1}", r"\boxed{1}") is MathsVerdict.RIGHT


def test_threads_share_it(judge: Judge) -> None:
    found: list[tuple[int, MathsVerdict]] = []

    def compare(number: int) -> None:
        found.append((number, judge.compare(r"\boxed{4}", rf"\boxed{{{number}}}")))

    threads = [threading.Thread(target=compare, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [n for n, verdict in sorted(found) if verdict is MathsVerdict.RIGHT] == [4]
    assert len(found) == 8


def test_a_fork_asks_a_process_of_its_own(judge: Judge) -> None:
    judge.compare(r"\boxed{1}", r"\boxed{1}")
    before = judge.pid
    pid = os.fork()
    if pid == 0:
        answered = judge.compare(r"\boxed{2}", r"\boxed{2}") is MathsVerdict.RIGHT
        apart = judge.pid != before
        judge.close()
        os._exit(0 if answered and apart else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert judge.compare(r"\boxed{3}", r"\boxed{3}") is MathsVerdict.RIGHT
    assert judge.pid == before


def test_a_process_that_cannot_start_is_an_error_and_no_grade() -> None:
    with pytest.raises(StageFailed, match="did not start"):
        Judge(memory=1 << 20).compare(r"\boxed{1}", r"\boxed{1}")


def test_the_graders_share_one_judge_and_count_reasons() -> None:
    before = JUDGE.counts.get(MathsVerdict.UNREAD, 0)
    assert maths(ask("4"), box("")) == 0
    assert maths(ask(" "), box("4")) == 0
    assert JUDGE.counts[MathsVerdict.UNREAD] == before + 1
