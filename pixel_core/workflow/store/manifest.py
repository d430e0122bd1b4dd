"""The manifest: written last, so that an artifact without one does not exist."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pixel_core.workflow.store.identity import canonical_json, key_of
from pixel_core.workflow.store.storage import checked_name

# Keeping credentials out of records and messages.


_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")


def without_credentials(text: str) -> str:
    """The text with ``user:password@`` taken out of every URL in it."""
    return _USERINFO.sub("", text)


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ManifestError(Exception):
    """The manifest's bytes are not a manifest, or contradict themselves."""


class StoredValue(BaseModel):
    """What is written in the store: unknown fields are damage."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(StoredValue):
    """One file of an artifact; the path is relative to the artifact's folder."""

    path: str
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256

    @field_validator("path")
    @classmethod
    def _below_its_folder(cls, path: str) -> str:
        return checked_name(path)


class InputRef(StoredValue):
    """Which artifact of a needed stage was read."""

    key: Sha256
    digest: Sha256


class Manifest(StoredValue):
    stage: str
    version: int
    key: Sha256
    #: The identity the key was made of, kept for ``plan``'s reasons.
    parts: dict[str, Any]
    inputs: dict[str, InputRef]
    #: The folder the files are in; a rebuild under the same key gets another.
    generation: str
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1)]
    #: Over the files alone: a stage that recomputes to the same bytes changes nothing below.
    digest: Sha256
    metrics: dict[str, Any]
    created: str
    timings: dict[str, float]
    costs: dict[str, float]
    code: dict[str, str]
    environment: dict[str, str | int]
    #: Hashes of the rooms of source the stage stands on, by room.
    source: dict[str, str]


def digest_of(files: Iterable[FileEntry]) -> str:
    """The artifact's digest: what is in it, whatever the order or time of writing."""
    listed = sorted((file.path, file.size, file.sha256) for file in files)
    return hashlib.sha256(canonical_json(listed)).hexdigest()


def dump(manifest: Manifest) -> bytes:
    """JSON with a checksum of itself, so that a half-true manifest is noticed."""
    values = manifest.model_dump(mode="json")
    envelope = {"checksum": _checksum(values), "manifest": values}
    return (json.dumps(envelope, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def parse(data: bytes, stage: str, key: str) -> Manifest:
    """The manifest of that stage and key; raises ``ManifestError`` saying what is wrong."""
    try:
        envelope = _Envelope.model_validate_json(data)
        manifest = Manifest.model_validate(envelope.manifest)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ManifestError(f"{place}: {first['msg']}") from error
    if envelope.checksum != _checksum(envelope.manifest):
        raise ManifestError("its checksum does not fit: it was changed after it was written")
    if (manifest.stage, manifest.key) != (stage, key):
        raise ManifestError(f"it belongs to {manifest.stage} {manifest.key[:12]}")
    if key_of(manifest.parts) != key:
        raise ManifestError("its parts do not give its key")
    if digest_of(manifest.files) != manifest.digest:
        raise ManifestError("its files do not give its digest")
    return manifest


class _Envelope(StoredValue):
    checksum: Sha256
    manifest: dict[str, Any]


def _checksum(values: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(values)).hexdigest()
