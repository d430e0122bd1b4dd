"""A workspace keeps bytes through kills and never hands out damaged ones."""

from __future__ import annotations

import pickle

import pytest

from pixel_core.workflow.stage import Workspace
from pixel_core.workflow.store import Store, StoredWorkspace


@pytest.fixture
def store(store_uri: str) -> Store:
    return Store.open(store_uri)


def test_bytes_go_in_and_out(store: Store) -> None:
    work: Workspace = store.workspace("sft", "key")
    assert work.names() == []
    assert work.get("step/10.pt") is None
    work.put("step/10.pt", b"\x00weights")
    work.put("empty", b"")
    work.put("step/10.pt", b"newer")
    there = pickle.loads(pickle.dumps(work))
    assert there.get("step/10.pt") == b"newer"
    assert there.get("empty") == b""
    assert work.names() == ["empty", "step/10.pt"]
    work.delete("step/10.pt")
    work.delete("step/10.pt")
    assert work.names() == ["empty"]


@pytest.mark.parametrize("cut", [0, 1, 40, 65, 70])
def test_truncated_data_is_no_data(store: Store, cut: int) -> None:
    work = store.workspace("sft", "key")
    work.put("checkpoint", b"0123456789")
    path = f"{work.folder}/checkpoint"
    stored = store.storage.read(path) or b""
    store.storage.write(path, stored[:cut])
    assert work.get("checkpoint") is None
    assert work.names() == ["checkpoint"]


def test_changed_data_is_no_data(store: Store) -> None:
    work = store.workspace("sft", "key")
    work.put("checkpoint", b"0123456789")
    path = f"{work.folder}/checkpoint"
    store.storage.write(path, (store.storage.read(path) or b"").replace(b"5", b"6"))
    assert work.get("checkpoint") is None


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "", "a//b", "a/."])
def test_names_that_leave_the_workspace_are_refused(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="plain relative name"):
        store.workspace("sft", "key").put(name, b"x")


def test_unfinished_computation_is_found_again(store: Store) -> None:
    first = store.workspace("sft", "key")
    first.put("checkpoint", b"1")
    again = Store.open(store.uri).workspace("sft", "key")
    assert again.generation == first.generation
    assert again.get("checkpoint") == b"1"
    assert store.workspace("sft", "other key").get("checkpoint") is None
    store.drop_workspace("sft", "key")
    assert first.names() == []
    assert store.workspace("sft", "key").generation != first.generation


def test_fresh_computation_sees_nothing_old_and_becomes_the_unfinished_one(
    store: Store,
) -> None:
    old = store.workspace("sft", "key")
    old.put("checkpoint", b"old")
    fresh = store.workspace("sft", "key", fresh=True)
    assert fresh.get("checkpoint") is None
    assert old.names() == []
    fresh.put("checkpoint", b"fresh")
    assert isinstance(fresh, StoredWorkspace)
    assert store.workspace("sft", "key").get("checkpoint") == b"fresh"
