"""Clean-up takes what nobody can need and leaves the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_stages import NUMBERS, SQUARES, small

from pixel_core.workflow.runner import run_stage
from pixel_core.workflow.store import Store

DAY = 24 * 3600.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with a replaced generation, an abandoned workspace and staging folder."""
    store = Store.open(str(tmp_path / "store"))
    numbers = run_stage(NUMBERS, small(), {}, store).artifact
    for forced in (False, True):
        run_stage(SQUARES, small(), {"numbers": numbers}, store, forced=forced)
    store.workspace("sft", "key").put("checkpoint", b"x" * 1000)
    (store.staging("sft", "key", "1") / "half").write_bytes(b"y" * 100)
    (tmp_path / "store" / "tmp" / "left").write_bytes(b"z" * 10)
    return store


def paths(store: Store) -> set[str]:
    return {entry.path for entry in store.storage.entries("")}


def test_young_things_stay(store: Store) -> None:
    before = paths(store)
    assert store.clean(older_than=DAY).removed == ()
    assert paths(store) == before


def test_old_things_nobody_needs_go(store: Store) -> None:
    before = paths(store)
    foreseen = store.clean(older_than=-1, dry_run=True)
    assert paths(store) == before
    done = store.clean(older_than=-1)
    assert done == foreseen
    assert done.size > 1110
    left = paths(store)
    assert not any(path.startswith(("work/", "staging/", "tmp/", "leases/")) for path in left)
    assert len([path for path in left if path.startswith("artifacts/squares/")]) == 3
    numbers = run_stage(NUMBERS, small(), {}, store)
    squares = run_stage(SQUARES, small(), {"numbers": numbers.artifact}, store)
    assert (numbers.status, squares.status) == ("reused", "reused")
