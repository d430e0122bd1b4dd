r"""The program that compares mathematical expressions, one question a line.

Run as a file, by ``maths_judge.Judge``: it imports nothing of this project, so that it starts
quickly and can be started in isolation. Code that reads model output with sympy has to expect
expressions that never end or eat all memory: the address space is limited here, and the
processor seconds of each question. What exceeds them ends this process; the judge starts
another.

In, a line of JSON: ``{"gold": text, "answer": text}``. Out, a line: ``{"verdict": name}``, a
name of ``maths_judge.Verdict``. The first line out says ``ready``, or what was wrong.

    python -I maths_child.py <bytes of memory> <processor seconds a question>
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
from functools import lru_cache
from typing import Any, TextIO

#: Without a question for so long it ends, and costs no memory; the judge starts another.
IDLE_S = 120.0
#: How often it looks whether the process that started it still lives.
WATCH_S = 5.0


def main() -> None:
    memory, seconds = int(sys.argv[1]), float(sys.argv[2])
    replies = _own_output()
    _limit(resource.RLIMIT_AS, memory)
    _limit(resource.RLIMIT_CORE, 0)
    try:
        compare = _comparing()
    except ImportError as error:
        _say(replies, error=str(error))
        return
    # What is loaded for the first comparison is none of the first question's time.
    compare(r"\boxed{\frac{x}{2}}", r"\boxed{x/2}")
    _say(replies, verdict="ready")
    while line := _next_line(os.getppid()):
        asked = json.loads(line)
        # No handler: the signal ends this process even in the middle of a long multiplication.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            verdict = compare(asked["gold"], asked["answer"])
        except MemoryError:
            verdict = "memory"
        except Exception:  # noqa: BLE001 - of sympy, about a text that no one has seen before
            verdict = "unread"
        signal.setitimer(signal.ITIMER_PROF, 0)
        _say(replies, verdict=verdict)


def _comparing() -> Any:
    from math_verify import parse, verify

    # Their own time limits are off: they are alarms of the clock, and would answer otherwise
    # on a busy machine.
    @lru_cache(maxsize=64)
    def read(text: str) -> Any:
        return parse(text, parsing_timeout=None)

    def compare(gold: str, answer: str) -> str:
        expected, found = read(gold), read(answer)
        if not expected or not found:
            return "unread"
        return "right" if verify(expected, found, timeout_seconds=None) else "wrong"

    return compare


def _own_output() -> TextIO:
    """Standard output for the replies alone: whatever else prints, prints to nowhere."""
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    return replies


def _next_line(parent: int) -> bytes:
    """The next question; nothing once the asker is gone, or has not asked for long."""
    waited = 0.0
    while waited < IDLE_S:
        if select.select([0], [], [], WATCH_S)[0]:
            return sys.stdin.buffer.readline()
        waited += WATCH_S
        if os.getppid() != parent:
            break
    return b""


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (value if hard < 0 else min(value, hard), hard))


def _say(replies: TextIO, **said: str) -> None:
    replies.write(json.dumps(said) + "\n")
    replies.flush()


if __name__ == "__main__":
    main()
