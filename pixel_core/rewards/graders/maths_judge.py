"""Asks a process of its own whether two mathematical expressions are equal.

This process imports no sympy. The other one has little memory, no environment but the path,
and a time limit a question; where it ends or hangs it is replaced, and the question is
answered with the reason.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from signal import SIGPROF

from pixel_core.errors import StageFailed

_PROGRAM = Path(__file__).with_name("maths_child.py")
#: What a process needs to start, and no more: a key in the environment is not for it.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
#: sympy's import, on a machine with much else to do.
START_S = 120.0


class MathsVerdict(StrEnum):
    """What became of a comparison; all but the first are no."""

    RIGHT = "right"
    WRONG = "wrong"
    UNREAD = "unread"  #: one of the two is nothing that math-verify can read
    TOO_LONG = "too_long"  #: not asked
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASHED = "crashed"  #: the process ended, as it may when memory is refused


#: Verdicts that hang on the machine: another may come to an end, and to another verdict.
UNDECIDED = (MathsVerdict.TIMEOUT, MathsVerdict.MEMORY, MathsVerdict.CRASHED)


class Judge:
    """One process, started for the first question, one question at a time; usable from any
    thread and after a fork.

    ``seconds``: of processor time a question; by the clock it may take ``patience`` times as
    long, for machines on which others are at work. ``memory``: bytes of address space.
    """

    def __init__(
        self,
        seconds: float = 2.0,
        memory: int = 1 << 30,
        patience: float = 30.0,
        max_characters: int = 20_000,
    ) -> None:
        self._limits = (str(memory), str(seconds))
        self._deadline_s = seconds * patience
        self._max_characters = max_characters
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._leave_to_parent)

    def compare(self, gold: str, answer: str) -> MathsVerdict:
        """Whether math-verify holds them equal, ``gold`` as the right one; never raises for a
        text. Raises ``StageFailed`` where the process can't be started at all."""
        if max(len(gold), len(answer)) > self._max_characters:
            verdict = MathsVerdict.TOO_LONG
        else:
            question = json.dumps({"gold": gold, "answer": answer}).encode() + b"\n"
            with self._lock:
                verdict = self._answer(question)
        self._counts[verdict] += 1
        return verdict

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each verdict was given."""
        return dict(self._counts)

    @property
    def pid(self) -> int | None:
        """The process that answers this one; None while there is none."""
        return self._child.pid if self._child else None

    def close(self) -> None:
        """End the process; the next question starts another."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()

    def _leave_to_parent(self) -> None:
        """In a fork: the process is the parent's, and so may the lock be."""
        self._child, self._lock = None, threading.Lock()

    def _answer(self, question: bytes) -> MathsVerdict:
        verdict = self._ask(question)
        # A process may be lost to whatever ends processes; twice, it is the question's doing.
        return self._ask(question) if verdict is MathsVerdict.CRASHED else verdict

    def _ask(self, question: bytes) -> MathsVerdict:
        child = self._ready(question)
        try:
            reply = _line(child, self._deadline_s)
        except BaseException:  # an interrupt: its reply must not answer the next question
            self.close()
            raise
        if reply:
            return MathsVerdict(json.loads(reply)["verdict"])
        hangs = child.poll() is None and not _ended(child)
        self.close()
        timed_out = hangs or child.returncode == -SIGPROF
        return MathsVerdict.TIMEOUT if timed_out else MathsVerdict.CRASHED

    def _ready(self, question: bytes) -> subprocess.Popen[bytes]:
        """A process that was sent the question."""
        child = self._child
        if child is not None and _send(child, question):
            return child
        self.close()  # none yet, or one that was idle for long and has ended
        self._child = child = self._started()
        if not _send(child, question):
            self.close()
            raise StageFailed("the process that compares mathematical answers ended at once")
        return child

    def _started(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", str(_PROGRAM), *self._limits]
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        )
        said = _line(child, START_S)
        if b'"ready"' in said:
            return child
        child.kill()
        child.communicate()
        wrong = json.loads(said)["error"] if said else "it ended without a word"
        raise StageFailed(
            f"the process that compares mathematical answers did not start: {wrong}. It needs "
            "the package math-verify: pip install math-verify"
        )


def _send(child: subprocess.Popen[bytes], question: bytes) -> bool:
    """Whether the process took it."""
    assert child.stdin is not None
    if child.poll() is not None:
        return False
    try:
        child.stdin.write(question)
        child.stdin.flush()
    except BrokenPipeError:
        return False
    return True


def _line(child: subprocess.Popen[bytes], seconds: float) -> bytes:
    """The next line said within ``seconds``; empty when there is none."""
    assert child.stdout is not None
    end, said = time.monotonic() + seconds, b""
    while (left := end - time.monotonic()) > 0:
        if not select.select([child.stdout], [], [], left)[0]:
            break
        piece = os.read(child.stdout.fileno(), 4096)
        said += piece
        if not piece or said.endswith(b"\n"):
            break
    return said if said.endswith(b"\n") else b""


def _ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether a process whose output ended ends, too."""
    try:
        child.wait(1.0)
    except subprocess.TimeoutExpired:
        return False
    return True


#: Shared by the graders that compare expressions.
JUDGE = Judge()
