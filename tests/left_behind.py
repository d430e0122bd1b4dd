"""A file of tests leaves its process as it found it, whatever the order.

Threads that hold the process, children, variables of the environment, the current folder and
Python's limit of recursion are compared before and after each file. What a session's fixtures
start stays until the session ends.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from living_processes import living

#: Seconds that what is ending may take; other work may share the machine.
PATIENCE_S = 20.0

#: Python's own, one of each for the life of a process; the grader's process, which is the
#: same for all who compare mathematics; those that ``preloaded`` forks programs from.
_LASTING = (
    "multiprocessing.resource_tracker",
    "multiprocessing.forkserver",
    "maths_child",
    "preloaded_parent",
)

#: What a command, a demo or Gradio sets for its process; some tests have them in theirs.
_OF_COMMANDS = frozenset(
    {
        "$PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL",
        "$HF_HUB_DISABLE_TELEMETRY",
        "$GRADIO_TEMP_DIR",
    }
)

#: The OpenRLHF agent's thread for words lives as long as its process, which is an actor's.
_OF_AGENTS = "tokenizer_"

#: What leads our code.
_OURS = ("$PIXEL_", "$PREFECT_", "$AWS_", "$HF_", "$HTTP")

_of_the_session: set[Any] = set()


def _threads() -> set[Any]:
    return {
        thread
        for thread in threading.enumerate()
        if not thread.daemon and not thread.name.startswith(_OF_AGENTS)
    }


def _children() -> set[Any]:
    """The living children of this process, and the programs that ``preloaded`` forked for it:
    number and command."""
    found = list(living())
    own = [process for process in found if process.parent == os.getpid()]
    forking = {process.number for process in own if "preloaded_parent" in process.command}
    return {
        (process.number, process.command)
        for process in found
        if process.parent in forking
        or (
            process.parent == os.getpid()
            and not any(name in process.command for name in _LASTING)
        )
    }


def _settings() -> dict[str, object]:
    return {
        **{f"${name}": value for name, value in os.environ.items() if "PYTEST" not in name},
        "the current folder": os.getcwd(),
        "the limit of recursion": sys.getrecursionlimit(),
    }


def _changed(before: dict[str, object], after: dict[str, object]) -> list[str]:
    """Libraries add variables when they are imported; those that lead our code are no such."""
    other = {name for name, value in before.items() if after.get(name) != value}
    added = {name for name in after.keys() - before if name.startswith(_OURS)}
    return sorted((other | added) - _OF_COMMANDS)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]):
    if fixturedef.scope != "session":
        return (yield)
    before = _threads() | _children()
    try:
        return (yield)
    finally:
        _of_the_session.update((_threads() | _children()) - before)


@pytest.fixture(scope="module", autouse=True)
def _leaves_nothing_behind() -> Iterator[None]:
    settings, threads, children = _settings(), _threads(), _children()
    yield
    changed = _changed(settings, _settings())
    assert not changed, f"a test of this file changed {changed} and did not undo it"
    for what, now, before in (
        ("threads", _threads, threads),
        ("processes", _children, children),
    ):
        left = _left(now, before)
        assert not left, f"a test of this file left {what} behind: {left}"


def _left(now: Callable[[], set[Any]], before: set[Any]) -> list[Any]:
    deadline = time.monotonic() + PATIENCE_S
    while (left := now() - before - _of_the_session) and time.monotonic() < deadline:
        time.sleep(0.05)
    return sorted(left, key=str)
