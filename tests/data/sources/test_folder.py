"""A folder of files, local and over the real S3 protocol."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.data.sources import folder as folder_local
from pixel_core.data.sources.folder import Folder
from pixel_core.errors import DataError, StorageError
from pixel_core.workflow.store.stat_cache import NAME, FolderMemory

FILES = {
    "b.txt": b"bee",
    "a/x.jpg": b"x",
    "a.txt": b"dot sorts before slash",
    "a/deeper/y.jpg": b"y" * 3000,
    "a0.txt": b"zero sorts after slash",
    "é.txt": b"beyond ASCII",
}
IN_ORDER = ["a.txt", "a/deeper/y.jpg", "a/x.jpg", "a0.txt", "b.txt", "é.txt"]


def fill(uri: str) -> str:
    if uri.startswith("s3://"):
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        client = boto3.client("s3")
        for name, data in FILES.items():
            client.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=data)
        client.put_object(Bucket=bucket, Key=f"{prefix}/a/", Body=b"")
        client.put_object(Bucket=bucket, Key=f"{prefix}-beside/z.txt", Body=b"z")
        return uri
    for name, data in FILES.items():
        path = Path(uri) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return uri


@pytest.fixture
def folder(store_uri: str) -> Folder:
    return Folder(fill(store_uri))


def test_lists_and_reads_the_same_wherever_it_lies(folder: Folder) -> None:
    assert list(folder.names()) == [(name, len(FILES[name])) for name in IN_ORDER]
    assert {name: folder.read(name) for name in FILES} == FILES
    with folder.local("a/deeper/y.jpg") as path:
        assert path.suffix == ".jpg"
        assert path.read_bytes() == FILES["a/deeper/y.jpg"]
    for file in folder.files():
        assert folder.sha256(file) == hashlib.sha256(FILES[file.name]).hexdigest()


def test_finds_a_file_by_its_whole_name(folder: Folder) -> None:
    found = folder.find("a.txt")
    assert found is not None
    assert (found.name, found.size) == ("a.txt", len(FILES["a.txt"]))
    assert folder.find("a.tx") is None
    assert folder.find("a") is None


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/../../x", "", "a\0b", "./a"])
def test_names_that_lead_out_are_refused(folder: Folder, name: str) -> None:
    for use in (folder.read, folder.find, lambda name: folder.local(name).__enter__()):
        with pytest.raises(DataError, match="not a plain relative name"):
            use(name)


def test_a_missing_file_is_named(folder: Folder) -> None:
    with pytest.raises(DataError, match=r"no file 'gone\.jpg'"):
        folder.read("gone.jpg")
    with pytest.raises(DataError, match=r"no file 'gone\.jpg'"), folder.local("gone.jpg"):
        pass


def test_pages_of_a_long_listing_join(s3_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixel_core.workflow.store.s3_storage.PAGE", 2)
    assert [name for name, _ in Folder(fill(s3_uri)).names()] == IN_ORDER


def test_links_are_followed_inside_and_refused_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"secret")
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (root / "real" / "a.jpg").write_bytes(b"a")
    (root / "inside.jpg").symlink_to(root / "real" / "a.jpg")
    (root / "leads_out.jpg").symlink_to(outside)
    (root / "loop.jpg").symlink_to(root / "loop.jpg")
    (root / "nothing.jpg").symlink_to(root / "gone")
    (root / "up").symlink_to(root)
    os.mkfifo(root / "pipe.jpg")
    folder = Folder(str(root))
    assert [name for name, _ in folder.names()] == [
        "inside.jpg",
        "leads_out.jpg",
        "loop.jpg",
        "nothing.jpg",
        "pipe.jpg",
        "real/a.jpg",
        "up",
    ]
    assert folder.read("inside.jpg") == b"a"
    for name in ("leads_out.jpg", "loop.jpg", "nothing.jpg", "pipe.jpg", "up"):
        with pytest.raises(DataError):
            folder.read(name)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "is empty"),
        ("no/such/folder", "there is no folder"),
        ("gs://bucket/x", "not supported"),
        ("s3://", "names no bucket"),
    ],
)
def test_an_address_that_is_no_folder(url: str, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        Folder(url, setting="ingest.photos.path")
    assert "ingest.photos.path" in str(caught.value)


def test_an_address_never_tells_its_password() -> None:
    with pytest.raises(DataError) as caught:
        Folder("https://me:hunter2@host/x", setting="ingest.photos.path")
    assert "hunter2" not in str(caught.value)


def test_a_service_that_is_down_is_no_empty_folder(
    s3_environment: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(StorageError, match="check that the service answers"):
        list(Folder("s3://bucket/prefix").names())


def test_digests_are_kept_while_the_file_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(folder_local, "SETTLED_S", 0.0)
    root = tmp_path / "root"
    root.mkdir()
    path = root / "a.jpg"
    path.write_bytes(b"old")
    (file,) = Folder(str(root)).files()
    first = Folder(str(root))
    digest = first.sha256(file)
    first.memory.flush()
    monkeypatch.setattr("pixel_core.data.sources.folder.file_content", None)
    assert Folder(str(root)).sha256(file) == digest  # nothing could read it now
    monkeypatch.undo()
    monkeypatch.setenv("PIXEL_CACHE", str(tmp_path / "cache"))
    status = path.stat()
    path.write_bytes(b"new")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    (file,) = Folder(str(root)).files()
    assert Folder(str(root)).sha256(file) == hashlib.sha256(b"new").hexdigest()


def test_a_damaged_memory_is_told_and_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PIXEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(folder_local, "SETTLED_S", 0.0)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / NAME).write_bytes(b"no database" * 1000)
    folder = Folder(fill(str(tmp_path / "root")))
    digests = [folder.sha256(file) for file in folder.files()]
    assert digests == [hashlib.sha256(FILES[name]).hexdigest() for name in IN_ORDER]
    assert "PIXEL_CACHE" in caplog.text


@given(
    st.sets(
        st.lists(st.sampled_from(["a", "a.b", "a b", "é", "Z"]), min_size=1, max_size=3).map(
            "/".join
        ),
        max_size=6,
    )
)
@settings(max_examples=30, deadline=None)
def test_order_is_that_of_whole_names(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    files = {name for name in names if not any(n.startswith(f"{name}/") for n in names)}
    root = tmp_path_factory.mktemp("root")
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    assert [name for name, _ in Folder(str(root)).names()] == sorted(files, key=str.encode)


def test_memory_tells_kinds_and_files_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXEL_CACHE", str(tmp_path))
    one = folder_local.FolderFile("a", 1, "s")
    memory = FolderMemory()
    memory.put("k", "u", one, "fact")
    assert memory.get("k", "u", one) == "fact"
    others = [("j", "u", one), ("k", "v", one)]
    others += [
        ("k", "u", folder_local.FolderFile(*row))
        for row in (("b", 1, "s"), ("a", 2, "s"), ("a", 1, "t"))
    ]
    assert [memory.get(*other) for other in others] == [None] * 5


@pytest.mark.parametrize("letter", ["x", "ü", "\U0001f600"])
def test_a_name_longer_than_a_files_can_be_is_missing(tmp_path: Path, letter: str) -> None:
    folder = Folder(str(tmp_path))
    assert folder.find(letter * 300) is None
    with pytest.raises(DataError, match="there is no file"):
        folder.read(letter * 300)
