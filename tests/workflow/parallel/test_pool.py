"""The pool on a real Ray: whose error is whose, and what a lost actor costs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import openers
import pytest

from pixel_core.errors import DataError, StageFailed
from pixel_core.workflow.parallel.ray_pool import LOSSES, Pool, share_out
from pixel_core.workflow.stage import SilentProgress

pytestmark = [pytest.mark.ci, pytest.mark.usefixtures("one_ray")]


class Told(SilentProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def done(items: Any, opener: Any, *arguments: Any, actors: int = 1) -> dict[int, Any]:
    told = Told()
    with closing(share_out(Pool(actors), items, opener, arguments, told)) as results:
        return dict(results) | {-1: told.notes}


def test_items_are_handed_out_as_actors_become_free() -> None:
    taken: list[int] = []
    squares: dict[int, int] = {}
    pids: set[int] = set()

    def items() -> Iterator[int]:
        while len(squares) < 20 or len(pids) < 2:  # known only from what came back
            taken.append(len(taken))
            yield taken[-1]

    pool = Pool(2)
    for item, (square, pid) in share_out(pool, items(), openers.squares, (), Told()):
        assert item not in squares
        squares[item] = square
        pids.add(pid)
        assert len(taken) - len(squares) <= pool.actors
    assert squares == {n: n * n for n in taken}
    assert os.getpid() not in pids


def test_a_killed_actor_costs_the_item_it_was_on(tmp_path: Path) -> None:
    results = done(range(6), openers.dying, tmp_path, 1, actors=2)
    lost = [note for note in results.pop(-1) if "an actor was lost" in note]
    assert [note.partition(" (")[0] for note in lost] == ["an actor was lost over 2"]
    assert results == {n: n * n for n in range(6)}
    begun = {n: (tmp_path / f"begun-{n}").read_text().split() for n in range(6)}
    assert [len(begun[n]) for n in range(6)] == [1, 1, 2, 1, 1, 1]
    assert len(set(begun[2])) == 2


@pytest.mark.slow
def test_an_item_that_always_kills_ends_the_stage(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=rf"{LOSSES} actors in a row were lost over 2 .*kept"):
        done(range(6), openers.dying, tmp_path, 99)
    assert len((tmp_path / "begun-2").read_text().split()) == LOSSES


def test_an_actors_error_is_told_as_what_it_is() -> None:
    with pytest.raises(DataError, match="no model in that folder"):
        done([1], openers.unopened)
    with pytest.raises(StageFailed, match=r"(?s)run again.*openers.*ZeroDivisionError"):
        done([1, 0], openers.faulty)
    with pytest.raises(StageFailed, match="could not send what it made"):
        done([1], openers.unsendable)


def test_leaving_early_keeps_what_is_done_and_ends_the_actors(tmp_path: Path) -> None:
    with closing(share_out(Pool(2), range(9), openers.lasting, (tmp_path,), Told())) as results:
        assert next(results) == (0, 0)
        pids = [int((tmp_path / "pid-0").read_text())]
    deadline = time.monotonic() + 30
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "an actor outlived the pool"
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_nothing_to_do_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.remote", None)
    assert done([], openers.squares) == {-1: []}
