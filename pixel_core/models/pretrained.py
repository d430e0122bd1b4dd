"""A pretrained model, taken as it is: a local folder, a stage's artifact, or a hub id at a
pinned commit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pixel_core.config import PretrainedConfig
from pixel_core.errors import DataError, EndpointError
from pixel_core.models.adapter import is_adapter, read_adapter
from pixel_core.models.loading import FOLDER
from pixel_core.models.merging import merge
from pixel_core.models.model_files import local_folder, model_files
from pixel_core.workflow.stage import Progress


def fetch(config: PretrainedConfig, out: Path, progress: Progress) -> dict[str, Any]:
    """Copy the model's files to ``out/model``, untouched; an adapter is merged into its base.

    Raises ``DataError`` for an adapter that can't be merged, and ``EndpointError``.
    """
    here = Path(config.path).is_dir()
    folder = _local(config, progress)
    (out / FOLDER).mkdir()
    if is_adapter(folder):
        adapter = read_adapter(folder)
        base = adapter.base_model(config.base)
        if not (here or config.base or base.revision):
            # Its key knows the adapter's commit, and not what lies in that folder.
            raise DataError(
                f"the adapter {config.path} of the hub was trained on the folder "
                f"{base.path!r}: name it as base_model.pretrained.base if it is the same model"
            )
        below = _local(base, progress)
        model_files(below)
        progress.note(f"merging the LoRA adapter {config.path} into {base.path}")
        return merge(adapter, below, out / FOLDER, progress)
    if config.base:
        raise DataError(
            f"{config.path} is a whole model, and base_model.pretrained.base is what an "
            "adapter is merged into: leave it out"
        )
    files = model_files(folder)
    for done, file in enumerate(files, 1):
        shutil.copyfile(file, out / FOLDER / file.name)
        progress.update(done, len(files))
    return {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}


def _local(config: PretrainedConfig, progress: Progress) -> Path:
    return local_folder(config.path) or download(config, progress)


def download(config: PretrainedConfig, progress: Progress) -> Path:
    """The folder of the hub's copy here. ``EndpointError`` where the hub does not give it."""
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
