"""Where a model's folder is, and which files it has. Imports no torch: planning is quick."""

from __future__ import annotations

from pathlib import Path

from pixel_core.errors import ConfigError
from pixel_core.models.adapter import is_adapter
from pixel_core.nesting import loads

#: The model's folder in the artifact of a stage that makes one.
FOLDER = "model"


def local_folder(path: str) -> Path | None:
    """The folder of a model or an adapter here: the one at ``path`` or, where that is the
    artifact of a stage (the folder of its key, or of its files), the model in it. None where
    there is no folder."""
    folder = Path(path)
    if not folder.is_dir() or (folder / "config.json").exists() or is_adapter(folder):
        return folder if folder.is_dir() else None
    try:
        made = loads((folder / "manifest.json").read_bytes())["manifest"]["generation"]
        within = folder / Path(str(made)).name / FOLDER
    except (OSError, ValueError, LookupError, TypeError):
        within = folder / FOLDER
    return within if (within / "config.json").is_file() else folder


def model_files(folder: Path) -> list[Path]:
    """The files of a local model folder, in a stable order."""
    if is_adapter(folder):
        raise ConfigError(
            f"{folder} holds a LoRA adapter, and an adapter is merged into a whole model: name "
            "that one, or merge the first adapter with peft"
        )
    files = sorted(file for file in folder.iterdir() if file.is_file())
    if not any(file.name == "config.json" for file in files):
        raise ConfigError(f"{folder} holds no config.json: it is not a model folder")
    return files
