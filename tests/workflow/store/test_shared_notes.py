"""What runs of a stage share: durable, untouched by clean-up, held by one run at a time."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
import time
from pathlib import Path

import pytest

from pixel_core.workflow.stage import UnsharedNotes
from pixel_core.workflow.store import Store


def test_notes_outlive_keys_and_clean_up(store_uri: str) -> None:
    store = Store.open(store_uri)
    first, second = store.notes("annotate", "a"), store.notes("annotate", "b")
    first.put("one", b"paid for")
    assert second.get("one") == b"paid for"
    assert second.names() == ["one"]
    assert second.sizes() == {"one": len(b"paid for")}
    assert store.notes("synthesize", "a").names() == []
    store.drop_workspace("annotate", "a")
    store.clean(older_than=-10)
    assert pickle.loads(pickle.dumps(second)).get("one") == b"paid for"


def test_damaged_notes_are_refused_but_can_be_salvaged(tmp_path: Path) -> None:
    notes = Store.open(str(tmp_path)).notes("annotate", "a")
    notes.put("one", b"0123456789")
    path = next((tmp_path / "notes").rglob("one"))
    path.write_bytes(path.read_bytes()[:-3])
    assert notes.get("one") is None
    assert notes.salvage("one") == b"0123456"
    assert notes.salvage("two") is None


def test_a_second_run_waits_and_says_so(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    told: list[str] = []
    held: list[float] = []

    def second() -> None:
        with store.notes("annotate", "b").hold(told.append) as check:
            check()
            held.append(time.monotonic())

    with store.notes("annotate", "a").hold(told.append):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        released = time.monotonic()
        assert not held
    thread.join()
    assert held[0] >= released
    assert len(told) == 1
    assert "waiting for" in told[0]


def test_waiting_can_be_given_up(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))

    def give_up() -> None:
        raise InterruptedError

    with (
        store.notes("annotate", "a").hold(print),
        pytest.raises(InterruptedError),
        store.notes("annotate", "b", give_up).hold(print),
    ):
        pass


def _hold_for_ever(uri: str, started) -> None:
    with Store.open(uri).notes("annotate", "a").hold(print):
        started.set()
        time.sleep(60)


def test_a_killed_holder_is_not_waited_for(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    started = context.Event()
    process = context.Process(target=_hold_for_ever, args=(str(tmp_path), started))
    process.start()
    assert started.wait(10)
    process.kill()
    process.join()
    told: list[str] = []
    with Store.open(str(tmp_path)).notes("annotate", "b").hold(told.append) as check:
        check()
    assert told == []


def test_unshared_notes_keep_what_they_get() -> None:
    notes = UnsharedNotes()
    notes.put("b", b"12")
    notes.put("a", b"1")
    assert (notes.get("b"), notes.get("c")) == (b"12", None)
    assert notes.sizes() == {"a": 1, "b": 2}
    notes.delete("a")
    with notes.hold(print) as check:
        check()
    assert notes.names() == ["b"]
