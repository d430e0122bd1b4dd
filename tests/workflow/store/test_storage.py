"""The storage contract, the same on a folder and on S3, and what an outage looks like."""

from __future__ import annotations

import pickle
import socket
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.errors import StorageError
from pixel_core.workflow.store import Store, s3_storage
from pixel_core.workflow.store.local_storage import file_content
from pixel_core.workflow.store.open import open_storage
from pixel_core.workflow.store.storage import Content, Storage, checked_name

ABC = Content(3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


@pytest.fixture
def storage(store_uri: str) -> Storage:
    return open_storage(store_uri)


def test_what_is_written_is_read(storage: Storage) -> None:
    storage.write("a/b", b"a", b"bc")
    assert storage.read("a/b") == b"abc"
    assert storage.content("a/b") == ABC
    storage.write("a/b", b"new")
    assert storage.read("a/b") == b"new"
    assert pickle.loads(pickle.dumps(storage)).read("a/b") == b"new"


def test_an_upload_is_known_by_its_bytes(storage: Storage, tmp_path: Path) -> None:
    file = tmp_path / "abc"
    file.write_bytes(b"abc")
    storage.upload(file, "a/b")
    assert storage.content("a/b") == ABC
    # Other bytes of the same length, whoever puts them there.
    storage.write("a/b", b"abd")
    changed = storage.content("a/b")
    assert changed is not None
    assert changed.size == 3
    assert changed.sha256 != ABC.sha256


def test_an_uploaded_object_is_compared_without_fetching_it(
    s3_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(s3_uri)
    file = tmp_path / "large"
    file.write_bytes(bytes(12 << 20))  # above the size that is sent in parts
    storage.upload(file, "large")
    expected = storage.content("large")
    monkeypatch.setattr(s3_storage, "CHUNK", 0)  # nothing can be read in chunks of 0 bytes
    assert storage.content("large") == expected == file_content(file)


def test_what_is_missing_is_none(storage: Storage, tmp_path: Path) -> None:
    assert storage.read("a") is None
    assert storage.content("a") is None
    assert storage.entries("a") == []
    assert not storage.download("a", tmp_path / "copy")
    storage.delete("a")
    storage.delete_folder("a")


def test_only_the_first_creates(storage: Storage) -> None:
    won: list[int] = []
    barrier = threading.Barrier(6)

    def compete(number: int) -> None:
        barrier.wait()
        if storage.create("one", str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=compete, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert storage.read("one") == str(won[0]).encode()


def test_folders_are_listed_and_removed_whole(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    storage.upload(tmp_path / "file", "a/deep/er/file")
    storage.write("a/x", b"12")
    storage.write("ab/y", b"1")
    entries = storage.entries("a")
    assert [(entry.path, entry.size) for entry in entries] == [
        ("a/deep/er/file", 3),
        ("a/x", 2),
    ]
    assert all(abs(entry.modified - time.time()) < 60 for entry in entries)
    assert storage.download("a/deep/er/file", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"abc"
    storage.delete_folder("a")
    assert [entry.path for entry in storage.entries("")] == ["ab/y"]


def expect_refusals(storage: Storage, tmp_path: Path, match: str) -> None:
    """Every operation is an error, none a miss."""
    (tmp_path / "file").write_bytes(b"abc")
    for operation in (
        lambda: storage.read("a"),
        lambda: storage.write("a", b"1"),
        lambda: storage.create("a", b"1"),
        lambda: storage.content("a"),
        lambda: storage.upload(tmp_path / "file", "a"),
        lambda: storage.download("a", tmp_path / "copy"),
        lambda: storage.entries("a"),
        lambda: storage.delete_folder("a"),
    ):
        with pytest.raises(StorageError, match=match) as caught:
            operation()
        assert storage.uri in str(caught.value)
        assert "check that" in str(caught.value)


def test_service_that_is_down_is_an_error(
    s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expect_refusals(open_storage("s3://some-bucket/x"), tmp_path, "AWS_ENDPOINT_URL")
    with pytest.raises(StorageError, match="s3://some-bucket/x"):
        Store.open("s3://some-bucket/x")


def test_service_that_never_answers_is_an_error(
    s3_environment: pytest.MonkeyPatch,
) -> None:
    s3_environment.setattr(s3_storage, "READ_TIMEOUT", 0.2)
    s3_environment.setattr(s3_storage, "WRITE_TIMEOUT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        s3_environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        storage = open_storage("s3://some-bucket/x")
        for operation in (
            storage.read,
            storage.entries,
            lambda path: storage.write(path, b"1"),
        ):
            with pytest.raises(StorageError, match="s3://some-bucket/x"):
                operation("a")


def test_missing_bucket_is_an_error(s3_uri: str, tmp_path: Path) -> None:
    expect_refusals(open_storage("s3://no-such-bucket/x"), tmp_path, "bucket does not exist")
    with pytest.raises(StorageError, match="no-such-bucket"):
        Store.open("s3://no-such-bucket/x")


def test_refused_credentials_are_an_error(
    s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with refusing_service() as endpoint:
        s3_environment.setenv("AWS_ENDPOINT_URL", endpoint)
        expect_refusals(open_storage("s3://some-bucket/x"), tmp_path, "s3://some-bucket/x")


def test_credentials_do_not_reach_messages(s3_environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError) as caught:
        Store.open("s3://user:hunter2@bucket/x")
    assert "hunter2" not in str(caught.value)
    s3_environment.setenv("AWS_ENDPOINT_URL", "http://user:hunter2@127.0.0.1:9")
    with pytest.raises(StorageError) as caught:
        Store.open("s3://bucket/x")
    assert "hunter2" not in str(caught.value)


def test_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder")
    expect_refusals(
        open_storage(str(tmp_path / "store")), tmp_path, "Not a directory|File exists"
    )


@pytest.mark.parametrize("uri", ["", "gs://bucket/x", "s3://", "http://host/x"])
def test_addresses_of_other_forms_are_refused(uri: str) -> None:
    with pytest.raises(StorageError, match="s3://bucket/prefix"):
        Store.open(uri)


def test_folder_is_named_by_path_or_file_address(tmp_path: Path) -> None:
    open_storage(str(tmp_path / "a store")).write("x", b"1")
    address = (tmp_path / "a store").as_uri()
    assert "%20" in address
    assert open_storage(address).read("x") == b"1"


@given(st.text(alphabet="ab./\\ \0", max_size=8))
def test_names_never_leave_their_folder(name: str) -> None:
    root = Path("/data/folder")
    try:
        checked_name(name)
    except ValueError:
        return
    assert (root / name).is_relative_to(root)
    assert ".." not in (root / name).parts
    assert (root / name) != root


class refusing_service:
    """An HTTP service that answers every request as S3 does to a wrong key."""

    BODY = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"

    def __enter__(self) -> str:
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        body = self.BODY

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_expect_100(self) -> bool:
                self.close_connection = True
                self.refuse()
                return False

            def refuse(self) -> None:
                self.send_response(403)
                self.send_header("Connection", "close")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = refuse

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __exit__(self, *details: object) -> None:
        self.server.shutdown()
        self.server.server_close()
