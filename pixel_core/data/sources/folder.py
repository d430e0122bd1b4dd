"""A folder of a user's files, on this machine or on S3: listed, read, told apart by content.

Everything in it is untrusted: names and links that lead out of it are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixel_core.data.sources.folder_local import LocalPlace
from pixel_core.data.sources.folder_place import SourceFolder
from pixel_core.errors import DataError, StorageError
from pixel_core.media.file_names import Names
from pixel_core.workflow.store.local_storage import file_content
from pixel_core.workflow.store.open import open_storage
from pixel_core.workflow.store.redaction import without_credentials
from pixel_core.workflow.store.stat_cache import FolderFile, FolderMemory
from pixel_core.workflow.store.storage import Storage, checked_name

__all__ = ["Folder", "FolderFile"]


class Folder:
    """The files below a folder's path, ``file://`` or ``s3://bucket/prefix``, at any depth.

    ``setting`` names what the address was set with, for the errors. Holds no file and no
    list of them (of a local folder, the names of one directory and its parents). Raises
    ``DataError`` for an address that is no folder, ``StorageError`` when S3 does not answer.
    """

    def __init__(self, url: str, *, setting: str = "the folder's path") -> None:
        if not url.strip():
            raise DataError(f"{setting} is empty; set it to a folder or s3://bucket/prefix")
        try:
            storage = open_storage(url)
        except StorageError as error:
            raise DataError(without_credentials(f"{setting}: {error}")) from error
        self._place = _place(storage, setting)
        self.url = storage.uri
        self.memory = FolderMemory()
        self._names: Names | None = None

    def files(self) -> Iterator[FolderFile]:
        """Every file, ordered by its name in UTF-8: the same wherever the folder lies."""
        return self._place.files()

    def names(self) -> Iterator[tuple[str, int]]:
        """Every file's name and bytes, ordered as ``files``."""
        return ((file.name, file.size) for file in self.files())

    def find(self, name: str) -> FolderFile | None:
        """The file of that name; None when there is none. Raises ``DataError`` as ``read``."""
        return self._place.find(self._checked(name))

    def read(self, name: str) -> bytes:
        """All bytes of a file. Raises ``DataError`` when it is missing or unreadable, or its
        name or a link on its way leads out of the folder."""
        return self._place.read(self._checked(name))

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """The file on this machine for as long as the block runs; read only. Raises as
        ``read``."""
        with self._place.local(self._checked(name)) as path:
            yield path

    def sha256(self, file: FolderFile) -> str:
        """Hexadecimal digest of a listed file's content. Read in chunks, and only once while
        the file stays as it is: also by later runs. Raises as ``read``."""
        known = self.memory.get("sha256", self.url, file)
        if known is None:
            with self.local(file.name) as path:
                known = file_content(path).sha256
            self.memory.put("sha256", self.url, file, known)
        return known

    def _checked(self, name: str) -> str:
        """The name as the folder has it, which may be written otherwise (``file_names``)."""
        try:
            checked = checked_name(name)
        except ValueError as error:
            raise DataError(
                f"{error}, inside the folder {self.url!r}; mend the name"
            ) from error
        if checked.isascii() or self._place.find(checked) is not None:
            return checked
        if self._names is None:
            self._names = Names((file.name, None) for file in self._place.files())
        alike = self._names.find(checked)
        if len(alike) > 1:
            raise DataError(
                f"{checked!r} reads like {len(alike)} files in {self.url!r}, "
                f"{', '.join(map(ascii, alike))}; rename all but one of them"
            )
        return alike[0] if alike else checked


def _place(storage: Storage, setting: str) -> SourceFolder:
    root = storage.local_path("")
    if root is not None:
        if not root.is_dir():
            raise DataError(f"there is no folder {str(root)!r}; set {setting} to one")
        return LocalPlace(root)
    # Imported here: a local folder's reader should not pay for the S3 client's import.
    from pixel_core.data.sources.folder_s3 import S3Place
    from pixel_core.workflow.store.s3_storage import S3Storage

    assert isinstance(storage, S3Storage)  # all other storage has a place here
    return S3Place(storage)
