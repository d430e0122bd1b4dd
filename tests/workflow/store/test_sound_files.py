"""What was read is not read again while the file system shows no change, and every change
that it can show is noticed."""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_stages import NUMBERS, SQUARES, make_squares, small

from pixel_core.workflow.runner import run_stage
from pixel_core.workflow.store import Artifact, Damaged, Store, Valid, local_storage
from pixel_core.workflow.store import stat_cache as folder_memory
from pixel_core.workflow.store.local_storage import LocalStorage
from pixel_core.workflow.store.storage import Content, Stamp

#: Longer than a tick of the clock that files get their times from.
SETTLED_S = 0.03


@pytest.fixture(autouse=True)
def _quickly_settled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local_storage, "SETTLED_NS", int(SETTLED_S * 1e9))
    monkeypatch.setenv("PIXEL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files whose bytes were read to compare them, in order."""
    names: list[str] = []
    real = local_storage.file_content

    def counted(path: Path) -> Content:
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(local_storage, "file_content", counted)
    return names


def made(folder: Path) -> Artifact:
    artifact = run_stage(NUMBERS, small(), {}, Store.open(str(folder))).artifact
    time.sleep(2 * SETTLED_S)
    return artifact


def found(artifact: Artifact, *, read_all: bool = False) -> str:
    """As another process would say it."""
    store = Store.open(artifact.storage.uri, read_all=read_all)
    verdict = store.find(artifact.stage, artifact.key)
    return verdict.how if isinstance(verdict, Damaged) else type(verdict).__name__


def test_a_process_reads_once_and_the_next_not_at_all(tmp_path: Path, read: list[str]) -> None:
    artifact = made(tmp_path / "store")
    store = Store.open(str(tmp_path / "store"))
    for _ in range(3):  # the command, the flow, the runner
        assert isinstance(store.find(artifact.stage, artifact.key), Valid)
    assert sorted(read) == ["even.json", "odd.json"]
    read.clear()
    assert found(artifact) == "Valid"
    assert read == []


def test_verify_reads_all_and_once(tmp_path: Path, read: list[str]) -> None:
    artifact = made(tmp_path / "store")
    assert found(artifact) == "Valid"
    read.clear()
    store = Store.open(str(tmp_path / "store"), read_all=True)
    for _ in range(3):
        assert isinstance(store.find(artifact.stage, artifact.key), Valid)
    assert sorted(read) == ["even.json", "odd.json"]


def test_a_young_file_is_read_by_the_next_process_again(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_storage, "SETTLED_NS", 3600 * 10**9)
    artifact = made(tmp_path / "store")
    assert found(artifact) == found(artifact) == "Valid"
    assert len(read) == 4


def test_what_one_process_knows_is_not_sent_to_another(tmp_path: Path, read: list[str]) -> None:
    artifact = made(tmp_path / "store")
    store = Store.open(str(tmp_path / "store"), read_all=True)
    store.find(artifact.stage, artifact.key)
    read.clear()
    sent = pickle.loads(pickle.dumps(store))
    assert isinstance(sent.find(artifact.stage, artifact.key), Valid)
    assert len(read) == 2  # it verifies by itself, and still reads all


def test_an_artifact_is_read_once_in_a_run_of_stages(tmp_path: Path, read: list[str]) -> None:
    store = Store.open(str(tmp_path / "store"))
    make_squares(store)
    time.sleep(2 * SETTLED_S)
    read.clear()
    for _ in range(2):
        assert make_squares(store).status == "reused"
    assert sorted(read) == ["even.json", "odd.json", "squares.json"]
    assert SQUARES.needs == ("numbers",)


class Rotting(LocalStorage):
    """A disk that gives other bytes than were written, and tells nobody."""

    def __init__(self, root: Path, before: dict[str, Stamp | None]) -> None:
        super().__init__(root)
        self.before = before

    def stamp(self, path: str) -> Stamp | None:
        return self.before.setdefault(path, super().stamp(path))


def test_what_no_stamp_shows_is_found_by_reading_all_and_then_remembered(
    tmp_path: Path,
) -> None:
    artifact = made(tmp_path / "store")
    before: dict[str, Stamp | None] = {}

    def found(*, read_all: bool = False) -> bool:
        store = Store(Rotting(tmp_path / "store", before), read_all=read_all)
        return isinstance(store.find(artifact.stage, artifact.key), Valid)

    assert found()
    file = artifact.local() / "parts/odd.json"
    file.write_bytes(file.read_bytes().replace(b"3", b"4"))
    assert found()  # as documented
    assert not found(read_all=True)
    assert not found()


def test_digests_kept_on_s3_are_not_enough_for_reading_all(s3_uri: str) -> None:
    store = Store.open(s3_uri)
    artifact = run_stage(NUMBERS, small(), {}, store).artifact
    storage = store.storage
    path = f"{artifact.folder}/parts/odd.json"
    # Other bytes of the same size, with the digest of the old ones beside them.
    told = storage.content(path)
    assert told is not None
    assert storage.content(path, every_byte=True) == told
    storage._s3.pipe_file(  # type: ignore[attr-defined]
        storage._full(path),  # type: ignore[attr-defined]
        b"[1, 4, 5]",
        Metadata={"pixel-sha256": told.sha256},
    )
    counted = storage.content(path, every_byte=True)
    assert counted is not None
    assert counted != told
    assert found(artifact, read_all=True).startswith("parts/odd.json: sha256")


# Each changes the store, or what is known of it. The verdict must follow the bytes.


def _other_bytes(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def _other_bytes_old_time(file: Path) -> None:
    status = file.stat()
    _other_bytes(file)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def _another_file_in_its_place(file: Path) -> None:
    status = file.stat()
    other = file.with_name("other")
    shutil.copyfile(file, other)
    _other_bytes(other)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(other, file)


def _touched(file: Path) -> None:
    os.utime(file)


def _future(file: Path) -> None:
    ahead = time.time() + 3600
    os.utime(file, (ahead, ahead))


def _cache_gone(file: Path) -> None:
    shutil.rmtree(os.environ["PIXEL_CACHE"], ignore_errors=True)


def _cache_spoilt(file: Path) -> None:
    place = Path(os.environ["PIXEL_CACHE"]) / folder_memory.NAME
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"SQLite format 3\0 but no more of it" * 200)


def _cache_cut(file: Path) -> None:
    place = Path(os.environ["PIXEL_CACHE"]) / folder_memory.NAME
    if place.exists():
        os.truncate(place, place.stat().st_size // 2)


def _settled(file: Path) -> None:
    time.sleep(2 * SETTLED_S)


CHANGES: tuple[Callable[[Path], None], ...] = (
    _other_bytes,
    _other_bytes_old_time,
    _another_file_in_its_place,
    _touched,
    _future,
    _cache_gone,
    _cache_spoilt,
    _cache_cut,
    _settled,
)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return run_stage(
        NUMBERS, small(), {}, Store.open(str(tmp_path_factory.mktemp("grown")))
    ).artifact


@pytest.mark.ci
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([0, 1]), st.sampled_from(CHANGES), st.booleans()),
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None)
def test_the_verdict_follows_the_bytes_whatever_happens_to_files_and_cache(
    grown: Artifact, steps: list[tuple[int, Callable[[Path], None], bool]]
) -> None:
    """Of two stores that began alike, with one cache."""
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PIXEL_CACHE", f"{folder}/cache")
        places = [Path(folder, name) for name in ("one", "two")]
        for place in places:
            shutil.copytree(grown.storage.uri, place, copy_function=shutil.copy2)
        kept = [Store(LocalStorage(place)) for place in places]  # a process that goes on
        file = f"{grown.folder}/parts/odd.json"
        sound = (places[0] / file).read_bytes()
        time.sleep(2 * SETTLED_S)
        for which, change, looked in [*steps, (0, _settled, True)]:
            change(places[which] / file)
            if not looked:
                continue
            for place, long_lived in zip(places, kept, strict=True):
                expected = Valid if (place / file).read_bytes() == sound else Damaged
                for store in (Store(LocalStorage(place)), long_lived):
                    assert isinstance(store.find(grown.stage, grown.key), expected)


def test_another_machines_memory_is_not_believed(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache in a shared home, the stores on disks of their own under one path."""
    artifact = made(tmp_path / "store")
    assert found(artifact) == "Valid"
    read.clear()
    monkeypatch.setattr(socket, "gethostname", lambda: "another")
    assert found(artifact) == "Valid"
    assert sorted(read) == ["even.json", "odd.json"]
