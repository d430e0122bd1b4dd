"""A LoRA adapter merged into its base model: ``W + scale * B @ A``, file by file.

The arithmetic is done in float32 and the result kept in the base's own type, so that a merged
model is as large as its base and loads as it does.
"""

from __future__ import annotations

import math
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.errors import DataError
from pixel_core.models.adapter import WEIGHTS, Adapter, json_object, remedy
from pixel_core.workflow.stage import Progress

_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
#: Other forms of the base's weights would be copied unmerged.
_OTHER_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack")
_OTHER_INDEX = "pytorch_model.bin.index.json"
_FLOATS = ("F32", "F16", "BF16", "F64")
#: What is shared where a model ties its embeddings.
_TIED = ("embed_tokens.weight", "lm_head.weight")

_FACTOR = re.compile(r"(?P<module>.+)\.lora_(?P<side>[AB])(\.default)?\.weight")
_EMBEDDING = re.compile(r"(?P<module>.+)\.lora_embedding_(?P<side>[AB])(\.default)?")


@dataclass(frozen=True)
class _Place:
    """Where a weight of the base lies."""

    file: Path
    name: str
    shape: tuple[int, ...]


@dataclass
class _Change:
    """Of one weight: another value (``whole``), the two factors of what is added, or both."""

    module: str
    whole: Any = None
    a: Any = None
    b: Any = None
    embedding: bool = False


def merge(adapter: Adapter, base: Path, into: Path, progress: Progress) -> dict[str, Any]:
    """Write the merged model into the empty folder ``into``: the base's files, with weights
    changed where the adapter has some.

    ``base``: a folder with a Qwen2.5-VL in safetensors, as transformers writes it. Raises
    ``DataError``, before anything is written, where the two do not fit.
    """
    places = _places(base)
    changes = _changes(adapter)
    _check(adapter, base, places, changes)
    shards = sorted({place.file for place in places.values()})
    rest = [file for file in sorted(base.iterdir()) if file.is_file() and not _is_weights(file)]
    for file in rest:
        shutil.copyfile(file, into / file.name)
    for done, shard in enumerate(shards, 1):
        inside = {
            place.name: changes[plain]
            for plain, place in places.items()
            if place.file == shard and plain in changes
        }
        _merge_file(adapter, shard, into / shard.name, inside)
        progress.update(done, len(shards))
    files = [file for file in into.iterdir() if file.is_file()]
    return {
        "files": len(files),
        "bytes": sum(file.stat().st_size for file in files),
        "adapted_weights": len(changes),
    }


@contextmanager
def merged(adapter: Adapter, base: Path, progress: Progress) -> Iterator[Path]:
    """The merged model in a temporary folder, which is removed afterwards.

    ``DataError`` as ``merge``, and where the disk has no room for it.
    """
    with tempfile.TemporaryDirectory(prefix="pixel-merged-") as name:
        needed = sum(file.stat().st_size for file in base.iterdir() if file.is_file())
        free = shutil.disk_usage(name).free
        if free < needed:
            raise DataError(
                f"merging {adapter.folder} needs {needed / 1e9:.1f} GB in "
                f"{Path(name).parent}, which has {free / 1e9:.1f}: set TMPDIR to a folder with "
                "room"
            )
        merge(adapter, base, Path(name), progress)
        yield Path(name)


def plain_name(name: str) -> str:
    """One name for a weight or module, however it is nested: ``model.layers`` and ``visual``
    until transformers 4.51, ``model.language_model.layers`` and ``model.visual`` since; peft
    puts ``base_model.model`` before either."""
    parts = name.split(".")
    while parts[0] in ("base_model", "model", "language_model") and len(parts) > 1:
        del parts[0]
    return ".".join(parts)


def _places(base: Path) -> dict[str, _Place]:
    """By plain name."""
    from safetensors import SafetensorError, safe_open

    config = json_object(base / "config.json", "the model")
    if config.get("quantization_config"):
        raise DataError(
            f"{base} is quantised, and an adapter is merged into full weights: name the model "
            "it was made from with --base or base_model.pretrained.base"
        )
    places: dict[str, _Place] = {}
    for file in _shards(base):
        try:
            with safe_open(file, "pt") as weights:
                for name in weights.keys():  # noqa: SIM118 - it is no dict
                    part = weights.get_slice(name)
                    if part.get_dtype() not in _FLOATS:
                        raise DataError(
                            f"{file} has {name} as {part.get_dtype()}: an adapter is merged "
                            "into weights in float32, float16 or bfloat16"
                        )
                    places[plain_name(name)] = _Place(file, name, tuple(part.get_shape()))
        except (SafetensorError, OSError) as error:
            raise DataError(f"{file} is not whole ({error}): copy the model again") from error
    return places


def _shards(base: Path) -> list[Path]:
    if not (base / _INDEX).is_file():
        return [base / _SINGLE]
    names = json_object(base / _INDEX, "the model").get("weight_map")
    if not isinstance(names, Mapping) or not names:
        raise DataError(f"{base / _INDEX} names no weights: copy the model again")
    return [base / Path(str(name)).name for name in sorted(set(names.values()))]


def _changes(adapter: Adapter) -> dict[str, _Change]:
    """By the plain name of the weight that changes."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = adapter.folder / WEIGHTS
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{file} is not whole ({error}): copy the adapter again") from error
    changes: dict[str, _Change] = {}
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise DataError(
                f"{file} has values in {name} that are no finite numbers: its training "
                "diverged; take an earlier checkpoint"
            )
        factor, embedding = _FACTOR.fullmatch(name), _EMBEDDING.fullmatch(name)
        if match := factor or embedding:
            module = match["module"]
            change = changes.setdefault(f"{plain_name(module)}.weight", _Change(module))
            change.embedding = embedding is not None
            setattr(change, match["side"].lower(), tensor)
            continue
        if "lora_" in name or "trainable_tokens" in name:
            raise DataError(
                f"{file} has {name}, which is not of plain LoRA: {remedy(adapter.folder)}"
            )
        # Whole weights that were trained beside (modules_to_save, biases) or saved along.
        plain = plain_name(name.replace(".base_layer.", "."))
        changes.setdefault(plain, _Change(name)).whole = tensor
    if not changes:
        raise DataError(f"{file} holds no weights: copy the adapter again")
    return changes


def _check(
    adapter: Adapter,
    base: Path,
    places: Mapping[str, _Place],
    changes: Mapping[str, _Change],
) -> None:
    tied = _is_tied(base, places)
    for plain, change in changes.items():
        place = places.get(plain)
        if tied and plain in _TIED:
            raise DataError(
                f"the LoRA adapter {adapter.folder} changes {plain}, and {base} has one weight "
                "for its embeddings and its head, so that merging changes both; if it was "
                f"trained so, {remedy(adapter.folder)}"
            )
        if place is None:
            raise DataError(
                f"the LoRA adapter {adapter.folder} changes {plain}, and {base} has no such "
                "weight: name the model it was trained on (--base, base_model.pretrained.base)"
            )
        for shape, wanted in _shapes(adapter, change, place):
            if shape != wanted:
                raise DataError(
                    f"the LoRA adapter {adapter.folder} has {plain} for {_written(shape)}, and "
                    f"{base} has {_written(wanted)}: name the model it was trained on (--base, "
                    "base_model.pretrained.base)"
                )


def _shapes(
    adapter: Adapter, change: _Change, place: _Place
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """What a change's parts are for, each with what it must be for. Checks both factors."""
    if change.whole is not None:
        yield tuple(change.whole.shape), place.shape
    if change.a is None and change.b is None:
        return
    if change.a is None or change.b is None:
        raise DataError(
            f"{adapter.folder / WEIGHTS} has one of {change.module}'s two factors: copy it "
            "again"
        )
    a, b = tuple(change.a.shape), tuple(change.b.shape)
    if min(len(a), len(b)) < 2 or a[0] != b[1]:
        raise DataError(
            f"{adapter.folder / WEIGHTS} has factors of {change.module} that do not fit "
            f"({_written(b)} times {_written(a)}): copy it again"
        )
    adapter.scale(_module(change), a[0])
    # A convolution's kernel is one long side.
    added = (a[1], b[0]) if change.embedding else (b[0], math.prod(a[1:]))
    yield added, (place.shape[0], math.prod(place.shape[1:]))


def _module(change: _Change) -> str:
    """As it was called while it was trained, which patterns are about."""
    return change.module.removeprefix("base_model.model.")


def _merge_file(
    adapter: Adapter, source: Path, target: Path, changes: Mapping[str, _Change]
) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    if not changes:
        shutil.copyfile(source, target)
        return
    with safe_open(source, "pt") as weights:
        metadata = weights.metadata()
    tensors = load_file(source)
    for name, change in changes.items():
        weight = tensors[name]
        new = (weight if change.whole is None else change.whole).float()
        if change.a is not None:
            rank = change.a.shape[0]
            scale = adapter.scale(_module(change), rank)
            added = change.b.float().flatten(1) @ change.a.float().flatten(1)
            new = new + scale * (added.T if change.embedding else added).reshape(weight.shape)
        tensors[name] = new.to(weight.dtype).contiguous()
    save_file(tensors, target, metadata)


def _is_tied(base: Path, places: Mapping[str, _Place]) -> bool:
    config = json_object(base / "config.json", "the model")
    stated = config.get("tie_word_embeddings", False)
    return bool(stated) or "lm_head.weight" not in places


def _is_weights(file: Path) -> bool:
    return file.suffix in _OTHER_WEIGHTS or file.name == _OTHER_INDEX


def _written(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
