"""The ledger: durable before it is used, found again whatever happened in between."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from asking import Told
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.data.annotation.ledger import segments as compaction
from pixel_core.data.annotation.ledger.index import INDEX, SEGMENTS, peek
from pixel_core.data.annotation.ledger.ledger import Ledger, open_ledger
from pixel_core.data.annotation.ledger.segments import (
    Facts,
    LedgerEntry,
    pack,
    pack_all,
    unpack,
)
from pixel_core.errors import StorageError
from pixel_core.workflow.store import LeaseLost, Store

FACTS = Facts("first", "gpt", "look", price=7, prompt_tokens=5, completion_tokens=2)


def digest(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def fill(store: Store, numbers: range, facts: Facts = FACTS) -> None:
    with open_ledger(store.notes("annotate", "first"), store.cache("annotate")) as ledger:
        for number in numbers:
            ledger.record(digest(number), b"body %d" % number, facts)


def found(store: Store, numbers: range, told: Told | None = None) -> list[int]:
    """Which of the answers are on record."""
    notes, cache = store.notes("annotate", "second"), store.cache("annotate")
    with open_ledger(notes, cache, told) as ledger:
        return [n for n in numbers if ledger.recall(digest(n)) == b"body %d" % n]


def forget_index(store: Store) -> None:
    for path in store.cache("annotate").glob(f"{INDEX}*"):
        path.unlink()


def test_answers_are_found_by_the_next_run_with_and_without_the_index(store_uri: str) -> None:
    store = Store.open(store_uri)
    fill(store, range(5))
    assert found(store, range(6)) == [0, 1, 2, 3, 4]
    forget_index(store)
    assert found(store, range(6)) == [0, 1, 2, 3, 4]


def test_what_was_paid_is_summed_by_who_paid_and_what_for(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    fill(store, range(3))
    fill(store, range(2, 5), Facts("second", "gpt", "locate", price=10, prompt_tokens=1))
    with open_ledger(store.notes("annotate", "third"), store.cache("annotate")) as ledger:
        # Number 2 was answered already: it is on record once, as it was paid first.
        assert ledger.totals().requests == 5
        assert ledger.totals(owner="first").price == 21
        assert ledger.totals(task="locate").prompt_tokens == 2
        assert ledger.totals(owner="third").price == 0
        found = ledger.find(digest(2))
        assert found is not None
        assert (found.owner, found.price) == ("first", 7)


def test_many_at_once_are_written_together(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    notes = store.notes("annotate", "first")
    with (
        open_ledger(notes, None) as ledger,
        ThreadPoolExecutor(16) as threads,
    ):
        jobs = [
            threads.submit(ledger.record, digest(n), b"body %d" % n, FACTS) for n in range(200)
        ]
        for job in jobs:
            job.result()
        assert ledger.recall(digest(199)) == b"body 199"
    assert len([name for name in notes.names() if name.startswith(SEGMENTS)]) < 100
    assert found(store, range(200)) == list(range(200))


def test_an_answer_is_durable_when_record_returns(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    notes = store.notes("annotate", "first")
    with open_ledger(notes, None) as ledger:
        ledger.record(digest(1), b"body 1", FACTS)
        # Seen by another reader of the same store, with an index of its own.
        other = Ledger(store.notes("annotate", "other"), None, Told())
        assert other.recall(digest(1)) == b"body 1"
        other.close()


def test_storage_that_fails_is_told_to_whoever_waits(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "store"))
    notes = store.notes("annotate", "first")
    ledger = Ledger(notes, None, Told())
    folder = tmp_path / "store" / "notes" / "annotate" / SEGMENTS
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot write"):
        ledger.record(digest(1), b"body 1", FACTS)
    folder.unlink()
    ledger.record(digest(2), b"body 2", FACTS)
    ledger.close()
    assert found(store, range(3)) == [2]


def test_a_run_that_was_overtaken_is_told_and_its_answer_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixel_core.data.annotation.ledger.ledger._CHECK_S", 0.0)

    def lost() -> None:
        raise LeaseLost("another run took over")

    store = Store.open(str(tmp_path))
    ledger = Ledger(store.notes("annotate", "first"), None, Told(), lost)
    with pytest.raises(LeaseLost):
        ledger.record(digest(1), b"body 1", FACTS)
    ledger.close()
    assert found(store, range(3)) == [1]


def segments(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "notes" / "annotate" / SEGMENTS).iterdir())


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied"])
def test_a_damaged_segment_is_named_and_the_rest_of_it_saved(
    tmp_path: Path, damage: str
) -> None:
    store = Store.open(str(tmp_path))
    notes = store.notes("annotate", "first")
    with open_ledger(notes, store.cache("annotate")) as ledger:
        ledger.submit(
            [LedgerEntry(digest(n), b"body %d" % n, FACTS) for n in range(10)]
        ).result()
        ledger.record(digest(10), b"body 10", FACTS)
    first = segments(tmp_path)[0]
    data = first.read_bytes()
    if damage == "cut":
        first.write_bytes(data[:-9])
        expected = [*range(9), 10]
    elif damage == "changed":
        place = data.index(b"body 4")
        first.write_bytes(data[:place] + b"bodY 4" + data[place + 6 :])
        expected = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]
    else:
        first.write_bytes(b"")
        expected = [10]
    # The index still has the answers: nothing is asked again for a damage like this.
    assert found(store, range(11)) == list(range(11))
    forget_index(store)
    told = Told()
    assert found(store, range(11), told) == expected
    (warning,) = [note for note in told.notes if first.name in note]
    assert f"{len(expected) - 1} answers" in warning


@pytest.mark.parametrize("damage", [b"not a database", b"SQLite format 3\0 but no more"])
def test_a_damaged_index_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    store = Store.open(str(tmp_path))
    fill(store, range(3))
    forget_index(store)
    (store.cache("annotate") / INDEX).write_bytes(damage)
    told = Told()
    assert found(store, range(4), told) == [0, 1, 2]
    assert "made anew" in told.notes[0]


def test_the_index_of_another_ledger_is_not_believed(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    fill(store, range(3))
    for path in (tmp_path / "notes").rglob("*"):
        if path.is_file():
            path.unlink()
    fill(store, range(3, 5))
    assert found(store, range(5)) == [3, 4]


def test_small_segments_are_merged_and_nothing_is_lost(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    fill(store, range(compaction.MANY * 3))
    left = segments(tmp_path)
    assert len(left) < compaction.MANY
    forget_index(store)
    assert found(store, range(compaction.MANY * 3)) == list(range(compaction.MANY * 3))


def test_a_kill_between_merging_and_removing_loses_and_doubles_nothing(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    fill(store, range(10))
    notes = store.notes("annotate", "first")
    data, replaced, damaged = compaction.merged(notes, [n for n in notes.names() if "seg" in n])
    assert (len(replaced), damaged) == (10, [])
    notes.put(f"{SEGMENTS}zz-merged", data)  # and here the process ends
    forget_index(store)
    assert found(store, range(10)) == list(range(10))
    with open_ledger(notes, store.cache("annotate")) as ledger:
        assert ledger.totals().requests == 10


def test_damaged_segments_are_not_merged_away(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    fill(store, range(4))
    bad = segments(tmp_path)[1]
    bad.write_bytes(bad.read_bytes()[:-1])
    notes = store.notes("annotate", "first")
    names = [name for name in notes.names() if name.startswith(SEGMENTS)]
    data, replaced, damaged = compaction.merged(notes, names)
    assert len(list(unpack(data))) == len(replaced) == 3
    assert damaged == [f"{SEGMENTS}{bad.name}"]


def test_a_look_from_outside_neither_waits_nor_reads_too_much(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    fill(store, range(3))
    notes, path = store.notes("annotate", "plan"), store.cache("annotate") / INDEX
    with store.notes("annotate", "running").hold(print):
        index = peek(notes, path, most=0)
        assert index is not None
        assert index.find(digest(2)) is not None
        index.close()
        forget_index(store)
        assert peek(notes, path, most=0) is None
        index = peek(notes, path, most=10_000)
        assert index is not None
        assert index.find(digest(2)) is not None
        index.close()


def test_a_look_from_outside_leaves_an_index_that_is_not_its_own(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    fill(store, range(2))
    (tmp_path / "notes" / "annotate" / "ledger" / "identity").unlink()
    path = store.cache("annotate") / INDEX
    assert peek(store.notes("annotate", "plan"), path, most=10_000) is None
    assert path.exists()
    assert found(store, range(3)) == [0, 1]


def test_an_index_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    (store.cache("annotate") / INDEX).mkdir(parents=True)
    with pytest.raises(StorageError, match=r"can't be written.*no answer is lost"):
        fill(store, range(1))


WRITER = """
import sys, hashlib
from pixel_core.workflow.store import Store
from pixel_core.data.annotation.ledger.ledger import open_ledger
from pixel_core.data.annotation.ledger.segments import Facts
store = Store.open(sys.argv[1])
with open_ledger(store.notes("annotate", "first"), store.cache("annotate")) as ledger:
    for number in range(100_000):
        digest = hashlib.sha256(str(number).encode()).digest()
        ledger.record(digest, b"body %d" % number, Facts("first", "gpt", "look", price=7))
        print(number, flush=True)
"""


def test_kill_9_loses_nothing_that_was_recorded(tmp_path: Path) -> None:
    """Killed at many moments, merging among them; each time it goes on from there."""
    store = Store.open(str(tmp_path))
    recorded = -1
    for seconds in (0.05, 0.11, 0.4):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()  # the first is recorded
        killer = threading.Timer(seconds, os.kill, (process.pid, signal.SIGKILL))
        killer.start()
        lines = process.stdout.read().split("\n")
        process.wait()
        told = [int(line) for line in lines[:-1]]
        recorded = max([recorded, 0, *told])
        everything = range(recorded + 1)
        assert found(store, everything) == list(everything)
    forget_index(store)
    assert found(store, everything) == list(everything)
    assert recorded > 10


entries = st.builds(
    LedgerEntry,
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=60),
    st.builds(Facts, st.text(max_size=5), st.just("m"), st.just("t"), price=st.integers(0, 9)),
)


@given(st.lists(entries, max_size=6))
def test_entries_come_back_as_they_were(kept: list[LedgerEntry]) -> None:
    assert list(unpack(pack_all(kept))) == kept


@given(st.lists(entries, min_size=1, max_size=5), st.data())
def test_whatever_byte_changes_the_other_entries_are_saved(
    kept: list[LedgerEntry], data: st.DataObject
) -> None:
    packed = bytearray(pack_all(kept))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    end = len(pack_all([]))
    untouched = []
    for entry in kept:
        start, end = end, end + len(pack(entry))
        if not start <= place < end:
            untouched.append(entry)
    assert [entry for entry in unpack(bytes(packed)) if entry in untouched] == untouched


@given(st.binary(max_size=200))
def test_foreign_bytes_hold_no_answers(data: bytes) -> None:
    assert list(unpack(data)) == []


@given(st.dictionaries(st.text(min_size=1, max_size=4), st.integers(0, 1 << 26), max_size=80))
def test_what_is_merged_is_alike_in_size_and_many(sizes: dict[str, int]) -> None:
    chosen = compaction.choose(sizes)
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(sizes)
    if chosen:
        alike = [size for size in sizes.values() if size < 8 << 20]
        assert len(alike) >= compaction.MANY


def test_waiting_for_another_run_is_told(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    told = Told()
    with store.notes("annotate", "other").hold(print):
        thread = threading.Thread(target=found, args=(store, range(1), told))
        thread.start()
        deadline = time.monotonic() + 5
        while not told.notes and time.monotonic() < deadline:
            time.sleep(0.01)
    thread.join()
    assert "which pays for answers" in told.notes[0]
