"""Finds a model and its prompt settings: a stage's artifact, a plain folder, or a model on the
hub.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pixel_core.config import DialogueConfig, PixelBudget, PretrainedConfig
from pixel_core.errors import DataError
from pixel_core.models.adapter import Adapter, is_adapter, read_adapter
from pixel_core.nesting import loads
from pixel_core.workflow.store import Artifact, Store
from pixel_core.workflow.store.manifest import Manifest, ManifestError, parse
from pixel_core.workflow.table import MODELS

#: As in ``pixel_core.models.loading``, which imports torch.
_MODEL = "model"
_MODEL_TYPE = "qwen2_5_vl"
_TOKENIZER = ("tokenizer.json", "vocab.json", "tokenizer.model")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")

#: How the paper evaluates released models (arXiv 2505.15966, its released script's
#: MIN_PIXELS and MAX_PIXELS): 512 to 5,120 visual tokens for a picture.
PAPER = DialogueConfig(
    picture=PixelBudget(min_pixels=512 * 28 * 28, max_pixels=5120 * 28 * 28),
    crop=PixelBudget(min_pixels=512 * 28 * 28, max_pixels=5120 * 28 * 28),
    max_tokens=32_768,
)


@dataclass(frozen=True)
class ModelFolder:
    """``artifact``: the folder whose ``folder`` ("" for itself) transformers reads."""

    artifact: Path
    folder: str
    #: The settings it was trained with; None if the folder has none.
    dialogue: DialogueConfig | None
    #: Display name: the stage with its key's beginning, or the path or id.
    name: str
    #: Adapter to merge into the model before it answers (``whole_model``).
    adapter: Adapter | None = None

    @property
    def files(self) -> Path:
        return self.artifact / self.folder


def find_model(where: str | Path, revision: str = "", base: str = "") -> ModelFolder:
    """A model's folder, checked but not loaded; a hub model is fetched first.

    ``where``: a stage's artifact (its key's folder, its files' folder, or ``model`` in it), a
    folder that transformers reads, or a hub id, whose ``revision`` is a commit. A LoRA
    adapter is applied to the base it names, or to ``base`` (a folder, or NAME@COMMIT).
    Raises ``DataError`` unless it is a whole Qwen2.5-VL model, and ``EndpointError`` if the
    hub does not deliver it.
    """
    found = _found(where, revision)
    if is_adapter(found.files):
        adapter = read_adapter(found.files)
        below = adapter.base_model(base)
        model = _found(below.path, below.revision)
        if is_adapter(model.files):
            raise DataError(
                f"{model.files} holds a LoRA adapter, and an adapter is merged into a whole "
                "model: name that one with --base, or merge the first adapter with peft"
            )
        check_files(model.files)
        return replace(model, name=f"{found.name} on {model.name}", adapter=adapter)
    if base:
        raise DataError(
            f"{where} is a whole model, and --base {base!r} is what an adapter is merged into: "
            "leave it out"
        )
    check_files(found.files)
    return found


@contextmanager
def whole_model(found: ModelFolder) -> Iterator[ModelFolder]:
    """The model, or a temporary copy with the adapter merged in: engines read all of it when
    they are opened."""
    if found.adapter is None:
        yield found
        return
    from pixel_core.models.merging import merged
    from pixel_core.workflow.stage import SilentProgress

    with merged(found.adapter, found.files, SilentProgress()) as folder:
        yield replace(found, artifact=folder, folder="", adapter=None)


def _found(where: str | Path, revision: str) -> ModelFolder:
    """Locate the model without checking its folder."""
    path = Path(where)
    if not path.exists():
        if not _HUB_ID.fullmatch(str(where)):
            raise DataError(
                f"there is no model at {str(where)!r}: give the folder of a model or of a "
                "stage's artifact, or a hub id such as Qwen/Qwen2.5-VL-7B-Instruct"
            )
        return _of_the_hub(str(where), revision)
    if not path.is_dir():
        raise DataError(f"{path} is a file: give the folder of a model")
    return _of_a_stage(path) or ModelFolder(path, "", None, str(path))


def _of_the_hub(name: str, revision: str) -> ModelFolder:
    if not _COMMIT.fullmatch(revision):
        raise DataError(
            f"the hub's {name} is taken at a commit, and {revision!r} is none: a branch may "
            "move; give 40 hexadecimal digits, as NAME@COMMIT"
        )
    from pixel_core.models.pretrained import download
    from pixel_core.workflow.stage import SilentProgress

    folder = download(PretrainedConfig(path=name, revision=revision), SilentProgress())
    return ModelFolder(folder, "", None, f"{name}@{revision[:12]}")


def _of_a_stage(path: Path) -> ModelFolder | None:
    """None for a folder that belongs to no artifact."""
    # The key's folder, that of its files, or the model's within.
    for folder in (path, path.parent, path.parent.parent):
        file = folder / "manifest.json"
        if not file.is_file():
            continue
        manifest = _manifest(file)
        if manifest is None:
            continue
        files = folder / manifest.generation
        if path not in (folder, files, files / _MODEL):
            continue
        if not any(entry.path.startswith(f"{_MODEL}/") for entry in manifest.files):
            raise DataError(
                f"{path} is an artifact of {manifest.stage}, which makes no model: choose one "
                "of base_model, sft or rl"
            )
        _check_whole(files, manifest)
        name = f"{manifest.stage} {manifest.key[:12]}"
        return ModelFolder(files, _MODEL, _dialogue(manifest, file), name)
    return None


def _manifest(file: Path) -> Manifest | None:
    """None for a file of this name that is not our manifest."""
    try:
        data = file.read_bytes()
        stated = loads(data)["manifest"]
        stage, key = stated["stage"], stated["key"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    try:
        return parse(data, stage, key)
    except ManifestError as error:
        raise DataError(
            f"{file} is damaged ({error}): make the artifact again, or copy it again"
        ) from error


def _check_whole(files: Path, manifest: Manifest) -> None:
    for entry in manifest.files:
        if not entry.path.startswith(f"{_MODEL}/"):
            continue
        file = files / entry.path
        size = file.stat().st_size if file.is_file() else -1
        if size != entry.size:
            what = "is missing" if size < 0 else f"has {size:,} of {entry.size:,} bytes"
            raise DataError(f"{file} {what}: the artifact is damaged; copy it or make it again")


def _dialogue(manifest: Manifest, file: Path) -> DialogueConfig:
    try:
        return DialogueConfig.model_validate(manifest.parts["config"]["dialogue"])
    except (LookupError, TypeError) as error:
        raise DataError(f"{file} does not say the dialogue of its model") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(
            f"{file} has a dialogue that this version does not know ({place}: {first['msg']}): "
            "use the version that made it"
        ) from error


def check_files(folder: Path) -> None:
    """``DataError`` unless this is a whole Qwen2.5-VL model with its tokenizer. Reads the
    headers of all weight files, not their content."""
    config = _json(folder / "config.json", "is no model's folder")
    kind = config.get("model_type")
    if kind != _MODEL_TYPE:
        raise DataError(
            f"{folder} holds a {str(kind)[:60]!r}, and what is needed is a Qwen2.5-VL "
            f"({_MODEL_TYPE}): this project's turns and pictures are written for it"
        )
    if not any((folder / name).is_file() for name in _TOKENIZER):
        raise DataError(f"{folder} has no tokenizer ({', '.join(_TOKENIZER)}): copy it too")
    for file in _weights(folder):
        _check_weights(file)


def _weights(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [folder / "model.safetensors"]
    names = _json(index, "can't be read").get("weight_map")
    if not isinstance(names, dict) or not names:
        raise DataError(f"{index} names no weights: copy the model again")
    return [folder / Path(str(name)).name for name in sorted(set(names.values()))]


def _check_weights(file: Path) -> None:
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        raise DataError(f"{file} is missing: the model is half copied, or not in safetensors")
    try:
        with safe_open(file, "pt") as weights:
            count = len(weights.keys())
    except (SafetensorError, OSError) as error:
        raise DataError(f"{file} is not whole ({error}): copy the model again") from error
    if not count:
        raise DataError(f"{file} holds no weights: copy the model again")


def _json(file: Path, fault: str) -> dict[str, Any]:
    try:
        value = loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{file.parent} {fault}: it holds no {file.name}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file} can't be read ({error}): copy the model again") from error
    if not isinstance(value, dict):
        raise DataError(f"{file} is no JSON object: copy the model again")
    return value


# The models in a pipeline's store, by their names in its scores.


def latest_model(store: Store, model: str = "policy") -> Artifact:
    """The latest run's ``base``, ``warm_start`` or ``policy``; if it made none, that of an
    earlier run. ``DataError`` if there is none, or it is gone."""
    stage = MODELS[model]
    run = store.latest_run()
    known = run.stages.get(stage) if run else None
    if known is not None and known.key is not None:
        artifact = store.load(stage, known.key)
        if artifact is not None:
            return artifact
    artifact = store.latest(stage)
    if artifact is None:
        raise DataError(
            f"there is no {model} in {store.uri} yet: make one with pixel run --until {stage}, "
            "or name a model's folder"
        )
    return artifact


def is_model_name(text: str) -> bool:
    """Whether this names a pipeline's model rather than a folder or a hub id."""
    return text in MODELS


def model_path(store: Store, model: str = "policy") -> Path:
    """The files' folder of ``latest_model``, fetched first if the store is remote."""
    return latest_model(store, model).local()
