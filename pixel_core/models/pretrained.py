"""A pretrained model, taken as it is: a local folder, or a hub id at a pinned commit."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from typing import Any

from pixel_core.config import PretrainedConfig
from pixel_core.errors import ConfigError, EndpointError
from pixel_core.models.loading import FOLDER
from pixel_core.stage import Progress

_COMMIT = re.compile(r"[0-9a-f]{40}")


def fingerprint(config: PretrainedConfig) -> dict[str, Any]:
    """The content's identity: the files' digests, or the hub id and its commit."""
    if not config.path:
        raise ConfigError("base_model.pretrained.path is empty: name a folder or a hub id")
    folder = Path(config.path)
    if folder.is_dir():
        digest = hashlib.sha256()
        for file in _files(folder):
            digest.update(file.name.encode())
            with file.open("rb") as data:
                digest.update(hashlib.file_digest(data, "sha256").digest())
        return {"pretrained_files": digest.hexdigest()}
    if not _COMMIT.fullmatch(config.revision):
        raise ConfigError(
            f"base_model.pretrained.path {config.path!r} is no folder, and as a hub id it "
            f"needs base_model.pretrained.revision to be a 40-digit commit, not "
            f"{config.revision!r}"
        )
    return {"pretrained_hub": config.path, "pretrained_commit": config.revision}


def fetch(config: PretrainedConfig, out: Path, progress: Progress) -> dict[str, Any]:
    """Copy the model's files to ``out/model``, untouched."""
    folder = Path(config.path)
    if not folder.is_dir():
        folder = _download(config, progress)
    files = _files(folder)
    (out / FOLDER).mkdir()
    for done, file in enumerate(files, 1):
        shutil.copyfile(file, out / FOLDER / file.name)
        progress.update(done, len(files))
    return {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}


def _files(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.iterdir() if file.is_file())
    if not any(file.name == "config.json" for file in files):
        raise ConfigError(f"{folder} holds no config.json: it is not a model folder")
    return files


def _download(config: PretrainedConfig, progress: Progress) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    progress.note(f"fetching {config.path} at {config.revision[:12]} from the hub")
    try:
        return Path(snapshot_download(config.path, revision=config.revision))
    except (HfHubHTTPError, OSError) as error:
        raise EndpointError(
            f"the hub did not give {config.path!r} at {config.revision}: {error}. Check the "
            "id, HF_ENDPOINT and HF_TOKEN, or name a local folder"
        ) from error
