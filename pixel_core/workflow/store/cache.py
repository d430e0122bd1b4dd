"""Copies of remote artifacts on this machine, by digest; safe to delete at any time."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pixel_core.errors import StorageError
from pixel_core.workflow.store.local_storage import file_content, remove_tree
from pixel_core.workflow.store.manifest import FileEntry, Manifest
from pixel_core.workflow.store.storage import Content, Storage


def cache_root() -> Path:
    """``PIXEL_CACHE``, or ``~/.cache/pixel-reasoner``."""
    return Path(os.environ.get("PIXEL_CACHE") or "~/.cache/pixel-reasoner").expanduser()


def materialise(
    storage: Storage, folder: str, manifest: Manifest, unread: Sequence[str] = ()
) -> Path:
    """A verified local folder with the files of ``folder``, downloaded when needed; those
    whose path fits a pattern of ``unread`` are left out, unless a whole copy is here.

    Raises ``StorageError`` when a file is missing or is not what the manifest says.
    """
    target = cache_root() / manifest.digest
    wanted = [entry for entry in manifest.files if not _fits(entry.path, unread)]
    if len(wanted) < len(manifest.files) and not target.is_dir():
        target = target.with_name(f"{manifest.digest}-{_part(wanted)}")
    if target.is_dir():
        if all(fault(target, entry) is None for entry in wanted):
            return target
        _retire(target)
    temporary = _temporary(manifest.digest)
    try:
        for entry in wanted:
            place = temporary / entry.path
            place.parent.mkdir(parents=True, exist_ok=True)
            found = storage.download(f"{folder}/{entry.path}", place)
            wrong = fault(temporary, entry) if found else "missing"
            if wrong:
                raise StorageError(
                    f"{storage.uri}/{folder}/{entry.path}: {wrong}; run again, and the stage "
                    f"{manifest.stage!r} is rebuilt"
                )
        return _publish(temporary, target)
    finally:
        remove_tree(temporary)


def adopt(files: Path, manifest: Manifest) -> None:
    """Keep a folder that was just uploaded as the local copy; the folder is moved."""
    target = cache_root() / manifest.digest
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        _publish(files, target)


def cache_of(uri: str) -> Path:
    """Where what belongs to one remote store is kept, apart from other stores."""
    return cache_root() / "stores" / hashlib.sha256(uri.encode()).hexdigest()[:16]


def staging_folder(name: str) -> Path:
    """Where a stage writes before its files are uploaded; beside the copies, so that a
    move is enough to keep them."""
    return cache_root() / "staging" / name


def fault(folder: Path, entry: FileEntry) -> str | None:
    """What is wrong with a local file; None when it is as the manifest says."""
    path = folder / entry.path
    return difference(file_content(path) if path.is_file() else None, entry)


def difference(content: Content | None, entry: FileEntry) -> str | None:
    """How stored content differs from the manifest, in words; None when it does not."""
    if content is None:
        return "missing"
    if content.size != entry.size:
        return f"size {content.size}, expected {entry.size}"
    if content.sha256 != entry.sha256:
        return f"sha256 {content.sha256[:12]}…, expected {entry.sha256[:12]}…"
    return None


def _fits(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _part(entries: Sequence[FileEntry]) -> str:
    names = "\n".join(entry.path for entry in entries)
    return hashlib.sha256(names.encode()).hexdigest()[:12]


def _temporary(digest: str) -> Path:
    folder = cache_root() / "tmp" / f"{digest[:12]}-{secrets.token_hex(6)}"
    folder.mkdir(parents=True)
    return folder


def _publish(files: Path, target: Path) -> Path:
    try:
        os.replace(files, target)
    except OSError:
        # Another process was first; its copy was verified just as well.
        if not target.is_dir():
            raise
    return target


def _retire(target: Path) -> None:
    """Take a damaged copy away in one step, so that nobody reads a half-removed one."""
    grave = _temporary(target.name) / "damaged"
    try:
        os.replace(target, grave)
    except FileNotFoundError:
        return  # another process did
    finally:
        remove_tree(grave.parent)
