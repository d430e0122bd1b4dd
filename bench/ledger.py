"""The ledger of paid answers: how quickly one is found, kept, and the index made anew.

    python -m bench.ledger [--entries 1000000] [--body 1000] [--folder DIR] [--json]

Segments are filled through the ledger's own writer, then the index is thrown away and built
from them by a process of its own, whose peak memory is told. Look-ups are of digests in no
order, known and unknown ones; keeping is one answer at a time, and 64 threads at once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

from bench.measure import Figure, arguments, in_turns, tell
from pixel_core.data.annotation.ledger.index import INDEX
from pixel_core.data.annotation.ledger.ledger import Ledger, open_ledger
from pixel_core.data.annotation.ledger.segments import Facts, LedgerEntry
from pixel_core.workflow.store import Store

_BATCH = 5_000  #: entries written together while filling
_LOOKS = 50  #: look-ups of one turn
_TURNS = 400
_KEPT = 20  #: answers kept in one turn, one by one
_THREADS = 64
_FACTS = Facts("bench", "gpt-4o-2024-11-20", "look", price=5_000_000, prompt_tokens=1200)


def digest(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def measure(asked: argparse.Namespace) -> list[Figure]:
    with tempfile.TemporaryDirectory(dir=asked.folder or None) as folder:
        return list(_figures(asked, Path(folder)))


def _figures(asked: argparse.Namespace, folder: Path) -> Iterator[Figure]:
    store = Store.open(str(folder))
    count, note = asked.entries, f"{asked.entries:,} entries of {asked.body:,} bytes"
    started = time.perf_counter()
    with _opened(store) as ledger:
        _fill(ledger, count, asked.body)
    filled = time.perf_counter() - started
    yield Figure("fill, written and indexed", count / filled, "entries/s", note=note)
    index = store.cache("annotate") / INDEX
    segments = store.notes("annotate", "bench").sizes()
    yield Figure("segments", sum(segments.values()) / 1e6, "MB", note=f"{len(segments)} files")
    for path in index.parent.iterdir():
        path.unlink()
    built = _in_process(folder)
    yield Figure("index made anew", built["seconds"], "s", note="from all segments")
    yield Figure("peak memory of that", built["peak_mb"], "MB")
    yield Figure("index", index.stat().st_size / 1e6, "MB")
    with _opened(store) as ledger:
        yield from _timed(ledger, count, asked.body, asked.repeats)


def _timed(ledger: Ledger, count: int, size: int, repeats: int) -> Iterator[Figure]:
    order = random.Random(0)
    known = [digest(order.randrange(count)) for _ in range(_TURNS * _LOOKS)]
    unknown = [digest(count + number) for number in range(_TURNS * _LOOKS)]
    yield from _looked(ledger, known, "look-up of a known answer")
    yield from _looked(ledger, unknown, "look-up of an unknown one")
    fresh = iter(range(10 * count, 20 * count))
    body = _body(0, size)

    def keep() -> None:
        ledger.record(digest(next(fresh)), body, _FACTS)

    def one_by_one() -> None:
        for _ in range(_KEPT):
            keep()

    def at_once() -> None:
        with ThreadPoolExecutor(_THREADS) as threads:
            for job in [threads.submit(keep) for _ in range(10 * _KEPT)]:
                job.result()

    times = in_turns({"one": one_by_one, "many": at_once}, repeats)
    yield times["one"].each("keeping one, durable", _KEPT)
    yield times["many"].rate(
        f"kept by {_THREADS} threads", 10 * _KEPT, "answers/s", note="durable, written together"
    )


def _looked(ledger: Ledger, digests: list[bytes], name: str) -> Iterator[Figure]:
    """Times look-ups in turns shorter than a time slice: other load shows in few of them."""
    walls, used = [], time.thread_time()
    for start in range(0, len(digests), _LOOKS):
        began = time.perf_counter()
        for each in digests[start : start + _LOOKS]:
            ledger.recall(each)
        walls.append(1e6 * (time.perf_counter() - began) / _LOOKS)
    used = 1e6 * (time.thread_time() - used) / len(digests)
    low, middle, high = statistics.quantiles(walls, n=4)
    yield Figure(name, middle, "µs", low, high, note=f"{used:.1f} µs of CPU time")


def _opened(store: Store) -> AbstractContextManager[Ledger]:
    return open_ledger(store.notes("annotate", "bench"), store.cache("annotate"))


def _fill(ledger: Ledger, count: int, size: int) -> None:
    for start in range(0, count, _BATCH):
        numbers = range(start, min(start + _BATCH, count))
        entries = [
            LedgerEntry(digest(number), _body(number, size), _FACTS) for number in numbers
        ]
        ledger.submit(entries).result()


def _body(number: int, size: int) -> bytes:
    return (f"{number:016x}" * (size // 16)).encode()


def _in_process(folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.ledger", "--build", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _build(folder: Path) -> None:
    started = time.perf_counter()
    with _opened(Store.open(str(folder))):
        seconds = time.perf_counter() - started
    # For this process alone: ``getrusage`` includes the parent's peak at the fork.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=5)
    options.add_argument("--entries", type=int, default=1_000_000)
    options.add_argument("--body", type=int, default=1_000, help="bytes of an answer's body")
    options.add_argument("--folder", default="", help="where to put the store meanwhile")
    options.add_argument("--build", default="", help=argparse.SUPPRESS)
    return options


if __name__ == "__main__":
    asked = parser().parse_args()
    if asked.build:
        _build(Path(asked.build))
    else:
        tell(asked, measure(asked))
