"""Which storage an address names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pixel_core.errors import StorageError
from pixel_core.workflow.store.local_storage import LocalStorage
from pixel_core.workflow.store.storage import Storage


def open_storage(uri: str) -> Storage:
    """The storage behind a folder's path, ``file://`` or ``s3://bucket/prefix``.

    Nothing is contacted yet. Raises ``StorageError`` for an address of another form.
    """
    # Imported here: a local run should not pay for the S3 client's import.
    scheme = urlsplit(uri).scheme if "://" in uri else ""
    if scheme == "s3":
        parts = urlsplit(uri)
        if not parts.netloc:
            raise StorageError(f"store {uri!r} names no bucket; write s3://bucket/prefix")
        if "@" in parts.netloc or parts.query:
            raise StorageError(
                "a store's address must not hold credentials or options; write "
                "s3://bucket/prefix and set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
                "AWS_ENDPOINT_URL in the environment"
            )
        from pixel_core.workflow.store.s3_storage import S3Storage

        return S3Storage(parts.netloc, parts.path.strip("/"))
    if scheme == "file":
        return LocalStorage(Path(unquote(urlsplit(uri).path)))
    if scheme or not uri:
        raise StorageError(
            f"store {uri!r} is not supported; use a folder's path or s3://bucket/prefix"
        )
    return LocalStorage(Path(uri))
