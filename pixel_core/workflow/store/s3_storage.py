"""S3, or a service that speaks it, as storage.

The endpoint, region and credentials come from the standard ``AWS_*`` environment. Missing
objects are told by GET, not HEAD: only a GET's answer distinguishes "no such key" from
"no such bucket".
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import s3fs
from botocore.exceptions import BotoCoreError, ClientError
from fsspec.exceptions import FSTimeoutError

from pixel_core.errors import StorageError
from pixel_core.workflow.store.local_storage import file_content
from pixel_core.workflow.store.manifest import without_credentials
from pixel_core.workflow.store.storage import CHUNK, Content, Storage, StoredObject

#: Seconds and tries that bound how long a service which is down keeps a run waiting.
CONNECT_TIMEOUT = 3
READ_TIMEOUT = 10
TRIES = 2
#: A write asks leave first (``Expect: 100-continue``) and the client waits for that answer
#: without a limit of its own: so a limit on the whole write, longer for more bytes.
WRITE_TIMEOUT = 30.0
SLOWEST_WRITE = 1 << 20  #: bytes a second
#: What is stored with an uploaded object: the SHA-256 of its bytes, so that a model of many
#: gigabytes is not fetched to be compared.
_DIGEST = "pixel-sha256"
_SHA256 = re.compile(r"[0-9a-f]{64}")
PAGE = 1000  #: objects a listing's answer holds, S3's own bound


class _FileSystem(s3fs.S3FileSystem):
    retries = TRIES


class S3Storage(Storage):
    def __init__(self, bucket: str, prefix: str) -> None:
        self.bucket = bucket
        self.prefix = prefix
        self.uri = f"s3://{bucket}/{prefix}".rstrip("/")
        self._client: tuple[int, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"bucket": self.bucket, "prefix": self.prefix, "uri": self.uri, "_client": None}

    @property
    def _s3(self) -> Any:
        """A client of this very process: event loops do not survive a fork."""
        if self._client is None or self._client[0] != os.getpid():
            client = _FileSystem(
                skip_instance_cache=True,
                use_listings_cache=False,
                config_kwargs={
                    "connect_timeout": CONNECT_TIMEOUT,
                    "read_timeout": READ_TIMEOUT,
                    "retries": {"total_max_attempts": TRIES, "mode": "standard"},
                },
            )
            self._client = (os.getpid(), client)
        return self._client[1]

    def read(self, path: str) -> bytes | None:
        with self._errors("read", path):
            try:
                return self._s3.cat_file(self._full(path))
            except FileNotFoundError as error:
                self._refuse_missing_bucket(error)
                return None

    def write(self, path: str, *parts: bytes) -> None:
        with self._errors("write", path):
            data = b"".join(parts)
            self._within(self._s3._pipe_file(self._full(path), data), len(data))

    def create(self, path: str, data: bytes) -> bool:
        with self._errors("create", path):
            try:
                exclusive = self._s3._pipe_file(self._full(path), data, mode="create")
                self._within(exclusive, len(data))
                return True
            except OSError as error:
                if not _lost_the_race(error):
                    raise
        # A retried request may meet the object that its own first try stored.
        return self.read(path) == data

    def content(self, path: str, *, every_byte: bool = False) -> Content | None:
        """From what was stored with the object where ``upload`` did, else from its bytes.

        An object and its metadata come and go together, so a digest that is there is that of
        what was uploaded; putting other bytes in its place removes the digest. The
        bytes themselves are compared when they are fetched (``local_cache``).
        """
        return (None if every_byte else self._told(path)) or self._counted(path)

    def _told(self, path: str) -> Content | None:
        _, _, key = self._full(path).partition("/")
        try:
            head = self._s3.call_s3("head_object", Bucket=self.bucket, Key=key)
        except (OSError, BotoCoreError, ClientError, FSTimeoutError):
            return None  # reading it tells what is wrong
        sha256 = head.get("Metadata", {}).get(_DIGEST, "")
        return Content(head["ContentLength"], sha256) if _SHA256.fullmatch(sha256) else None

    def _counted(self, path: str) -> Content | None:
        digest = hashlib.sha256()
        size = 0
        with self._errors("read", path):
            try:
                with self._s3.open(self._full(path), "rb", block_size=CHUNK) as source:
                    while chunk := source.read(CHUNK):
                        digest.update(chunk)
                        size += len(chunk)
            except FileNotFoundError as error:
                self._refuse_missing_bucket(error)
                return None
        return Content(size, digest.hexdigest())

    def upload(self, source: Path, path: str) -> None:
        with self._errors("write", path):
            stored = {_DIGEST: file_content(source).sha256}
            sending = self._s3._put_file(str(source), self._full(path), Metadata=stored)
            self._within(sending, source.stat().st_size)

    def download(self, path: str, target: Path) -> bool:
        with self._errors("read", path):
            try:
                self._s3.get_file(self._full(path), str(target))
            except FileNotFoundError as error:
                self._refuse_missing_bucket(error)
                return False
        return True

    def entries(self, folder: str) -> list[StoredObject]:
        root = self._full("")
        with self._errors("list", folder):
            try:
                found = self._s3.find(self._full(folder), detail=True)
            except FileNotFoundError as error:
                self._refuse_missing_bucket(error)
                return []
            return [
                StoredObject(
                    path.removeprefix(root).lstrip("/"),
                    info["size"],
                    info["LastModified"].timestamp(),
                )
                for path, info in sorted(found.items())
                if info["type"] == "file"
            ]

    def walk(self, folder: str, starting: str = "") -> Iterator[tuple[StoredObject, str]]:
        """As ``entries``, each with its ETag, and held a page of them at a time; only
        those whose name in the folder begins with ``starting``."""
        root = self._full("").removeprefix(self.bucket).lstrip("/")
        below = "/".join(part for part in (root, folder) if part)
        request = {"Bucket": self.bucket, "Prefix": (f"{below}/" if below else "") + starting}
        while True:
            with self._errors("list", folder):
                page = self._s3.call_s3("list_objects_v2", MaxKeys=PAGE, **request)
            for item in page.get("Contents", ()):
                path = item["Key"].removeprefix(f"{root}/" if root else "")
                if not path.endswith("/"):  # a marker that some tools leave for a folder
                    entry = StoredObject(path, item["Size"], item["LastModified"].timestamp())
                    yield entry, item["ETag"].strip('"')
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def delete(self, path: str) -> None:
        with self._errors("delete", path):
            self._s3.rm_file(self._full(path))

    def delete_folder(self, folder: str) -> None:
        for entry in self.entries(folder):
            self.delete(entry.path)

    def _full(self, path: str) -> str:
        return "/".join(part for part in (self.bucket, self.prefix, path) if part)

    def _within(self, write: Coroutine[Any, Any, Any], size: int) -> None:
        seconds = WRITE_TIMEOUT + size / SLOWEST_WRITE
        limited = asyncio.wait_for(write, seconds)
        asyncio.run_coroutine_threadsafe(limited, self._s3.loop).result()

    def _refuse_missing_bucket(self, error: FileNotFoundError) -> None:
        if _code(error) == "NoSuchBucket":
            raise error

    @contextmanager
    def _errors(self, action: str, path: str) -> Iterator[None]:
        try:
            yield
        except (OSError, BotoCoreError, ClientError, FSTimeoutError) as error:
            endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get(
                "AWS_ENDPOINT_URL", "the AWS endpoint"
            )
            text = (
                f"cannot {action} {path!r} in the store {self.uri} at {endpoint}: {error}; "
                f"check that the service answers, that the bucket {self.bucket!r} exists and "
                "that AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are right"
            )
            raise StorageError(without_credentials(text)) from error


def _code(error: BaseException) -> str:
    """The service's own error code, where s3fs kept its answer."""
    answer = getattr(error.__cause__, "response", None) or {}
    return str(answer.get("Error", {}).get("Code", ""))


def _lost_the_race(error: OSError) -> bool:
    return isinstance(error, FileExistsError) or _code(error) in (
        "PreconditionFailed",
        "ConditionalRequestConflict",
        "412",
        "409",
    )
