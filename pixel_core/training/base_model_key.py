"""What the key of ``base_model`` must know beside its settings. Imports no torch: planning
is quick."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from pixel_core.config import PipelineConfig, PretrainedConfig
from pixel_core.errors import ConfigError
from pixel_core.models.adapter import given_base, is_adapter, read_adapter
from pixel_core.models.model_files import local_folder, model_files
from pixel_core.tiny.scene import World

_COMMIT = re.compile(r"[0-9a-f]{40}")


def fingerprint(config: PipelineConfig) -> dict[str, Any]:
    """The content's identity; ``ConfigError`` for settings that can't make a model."""
    section = config.base_model
    if section.source == "pretrained":
        return _pretrained(section.pretrained)
    if not section.phases:
        raise ConfigError(
            "base_model.phases is empty: a tiny model needs pretraining (profile tiny has "
            'it), or set base_model.source = "pretrained"'
        )
    World(section.world)  # refuses a world that can't be drawn
    return {}


def _pretrained(config: PretrainedConfig) -> dict[str, Any]:
    """The files' digests, or the hub id and the commit it is pinned to; of an adapter, also
    those of the model it is merged into."""
    if not config.path:
        raise ConfigError("base_model.pretrained.path is empty: name a folder or a hub id")
    folder = local_folder(config.path)
    if folder is not None and is_adapter(folder):
        adapter = read_adapter(folder)
        below = _identity(adapter.base_model(config.base))
        return {"pretrained_adapter": adapter.digest(), "pretrained_base": below}
    known = _identity(config)
    if not config.base:
        return known
    if folder is not None:
        raise ConfigError(
            f"base_model.pretrained.base {config.base!r} is what a LoRA adapter is merged "
            f"into, and {folder} is a whole model: leave it out"
        )
    # Whether the hub's is an adapter shows when it is here.
    return known | {"pretrained_base": _identity(given_base(config.base))}


def _identity(config: PretrainedConfig) -> dict[str, Any]:
    """Of a whole model, or of whatever the hub has at a commit."""
    folder = local_folder(config.path)
    if folder is not None:
        digest = hashlib.sha256()
        for file in model_files(folder):
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
