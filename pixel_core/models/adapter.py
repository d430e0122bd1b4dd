"""LoRA adapters in peft's format: what an adapter changes, at which scale, and in which model.

Only kinds whose merged weights follow from the two files and the base model are read. Settings
and scaling are those of peft's ``LoraConfig`` and ``tuners/lora/layer.py``. Imports no torch:
planning is quick.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.config import PretrainedConfig
from pixel_core.errors import DataError
from pixel_core.nesting import loads

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
#: Settings that say how an adapter was trained or chosen, and nothing about its merged weights.
_IRRELEVANT = frozenset(
    {
        "auto_mapping",
        "ensure_weight_tying",
        "eva_config",
        "exclude_modules",
        "inference_mode",
        "layers_pattern",
        "layers_to_transform",
        "lora_dropout",
        "lora_dtype",
        "lorap_emb_lr",
        "lorap_lr_ratio",
        "megatron_core",
        "modules_to_save",  # the file's own tensors tell
        "peft_version",
        "qalora_group_size",
        "runtime_config",
        "target_modules",
        "task_type",
    }
)
#: Settings that are read below, or in ``Adapter``.
_READ = frozenset(
    {
        "alpha_pattern",
        "base_model_name_or_path",
        "bias",
        "init_lora_weights",
        "lora_alpha",
        "peft_type",
        "r",
        "rank_pattern",
        "revision",
        "use_rslora",
    }
)
#: Starts that leave the base model's weights alone. The others (PiSSA, OLoRA, LoftQ, ...) train
#: beside a changed base, which the saved files do not hold.
_STARTS = (True, False, None, "gaussian", "eva", "orthogonal")
#: As in words for both ways to say it.
_NAME_IT = (
    "name its base model with --base (pixel ask, serve, demo) or base_model.pretrained.base "
    "(pixel run, evaluate), as a folder or NAME@COMMIT with a commit of 40 digits"
)


def remedy(folder: Path) -> str:
    """How to merge an adapter that can't be merged here."""
    return (
        "merge it with peft and give the merged folder instead: "
        f"PeftModel.from_pretrained(base, {str(folder)!r}).merge_and_unload()"
        ".save_pretrained(OUT), with the base's tokenizer saved into OUT too"
    )


@dataclass(frozen=True)
class Adapter:
    """``base`` and ``revision``: the model it says it was trained on. ``ranks``, ``alphas``:
    other ones than ``rank`` and ``alpha``, by patterns of the modules' names."""

    folder: Path
    base: str
    revision: str
    rank: int
    alpha: float
    ranks: Mapping[str, int]
    alphas: Mapping[str, float]
    rank_stabilised: bool

    def scale(self, module: str, rank: int) -> float:
        """The factor of ``B @ A`` for a module, whose matrices have this rank. ``DataError``
        where the settings say another rank."""
        stated = _matched(self.ranks, module, self.rank)
        if rank != stated:
            raise DataError(
                f"{self.folder / WEIGHTS} has rank {rank} for {module}, and {CONFIG} says "
                f"{stated}: copy both files from the same checkpoint"
            )
        alpha = _matched(self.alphas, module, self.alpha)
        return float(alpha) / (math.sqrt(rank) if self.rank_stabilised else rank)

    def base_model(self, given: str = "") -> PretrainedConfig:
        """The model to merge into: ``given`` (a folder, or NAME@COMMIT), or else the one its
        settings name. ``DataError`` where that is no folder here and no pinned hub id."""
        if given:
            return given_base(given)
        if self.base and Path(self.base).is_dir():
            return PretrainedConfig(path=self.base)
        if _HUB_ID.fullmatch(self.base) and _COMMIT.fullmatch(self.revision):
            return PretrainedConfig(path=self.base, revision=self.revision)
        said = (
            f"was trained on {self.base!r} at revision {self.revision or None!r}, which is no "
            "folder here and no hub id at a commit"
            if self.base
            else "does not say which model it was trained on"
        )
        raise DataError(f"the LoRA adapter {self.folder} {said}: {_NAME_IT}")

    def digest(self) -> str:
        """Of both files' bytes."""
        digest = hashlib.sha256()
        for name in (CONFIG, WEIGHTS):
            with (self.folder / name).open("rb") as data:
                digest.update(hashlib.file_digest(data, "sha256").digest())
        return digest.hexdigest()


def given_base(text: str) -> PretrainedConfig:
    """A base model as it is typed: a folder, or NAME@COMMIT. ``DataError`` for neither."""
    name, _, commit = text.partition("@")
    if Path(text).is_dir():
        return PretrainedConfig(path=text)
    if _HUB_ID.fullmatch(name) and _COMMIT.fullmatch(commit):
        return PretrainedConfig(path=name, revision=commit)
    raise DataError(
        f"{text!r} is no folder here and no hub id at a commit, and a LoRA adapter is to be "
        f"merged into it: {_NAME_IT}"
    )


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter. ``DataError`` where it holds a whole model too, or
    only half an adapter."""
    has_config = (folder / CONFIG).is_file()
    whole = sorted(folder.glob("model*.safetensors"))
    if has_config and whole:
        raise DataError(
            f"{folder} holds a whole model ({whole[0].name}) and a LoRA adapter ({CONFIG}), so "
            "it is unclear which is meant: put each into a folder of its own"
        )
    if not has_config and not whole and (folder / WEIGHTS).is_file():
        raise DataError(f"{folder} holds {WEIGHTS} without {CONFIG}: copy that file too")
    return has_config


def read_adapter(folder: Path) -> Adapter:
    """The adapter's settings. ``DataError`` for a kind that can't be merged from its files, by
    the setting's name, with what to do instead."""
    settings = json_object(folder / CONFIG, "the adapter")
    if not (folder / WEIGHTS).is_file():
        hint = ": copy it too"
        if (folder / "adapter_model.bin").exists():
            hint = (
                "; its adapter_model.bin is a pickle, which is not read: load it with peft and "
                "save it again (safe_serialization=True)"
            )
        raise DataError(f"{folder} has no {WEIGHTS}{hint}")
    kind = settings.get("peft_type")
    if kind != "LORA":
        raise DataError(
            f"{folder} is an adapter of kind {str(kind)[:40]!r}, and only plain LoRA is merged "
            f"here: {remedy(folder)}"
        )
    for name, value in sorted(settings.items()):
        if not (name in _READ or name in _IRRELEVANT or value in (None, False, "", 0, [], {})):
            _refuse(folder, name, value)
    start = settings.get("init_lora_weights", True)
    if start not in _STARTS:
        _refuse(folder, "init_lora_weights", start)
    try:
        return Adapter(
            folder,
            base=str(settings.get("base_model_name_or_path") or ""),
            revision=str(settings.get("revision") or ""),
            rank=_positive(settings["r"]),
            alpha=_number(settings["lora_alpha"]),
            ranks={str(k): _positive(v) for k, v in _table(settings, "rank_pattern").items()},
            alphas={str(k): _number(v) for k, v in _table(settings, "alpha_pattern").items()},
            rank_stabilised=bool(settings.get("use_rslora")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{folder / CONFIG} is damaged ({type(error).__name__}: {error}): copy it again"
        ) from error


def _refuse(folder: Path, name: str, value: Any) -> None:
    raise DataError(
        f"the LoRA adapter {folder} was made with {name} = {str(value)[:60]}, which is not "
        f"merged here: {remedy(folder)}"
    )


def json_object(file: Path, of: str) -> dict[str, Any]:
    """What a settings file holds; ``of`` is what to copy again where it is damaged."""
    try:
        value = loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file} can't be read ({error}): copy {of} again") from error
    if not isinstance(value, dict):
        raise DataError(f"{file} is no JSON object: copy {of} again")
    return value


def _matched(table: Mapping[str, Any], module: str, default: Any) -> Any:
    """The first pattern that a module's name ends with, at a dot, decides."""
    for pattern, value in table.items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default


def _table(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = settings.get(name) or {}
    if not isinstance(table, Mapping):
        raise TypeError(f"{name} is no object")
    for pattern in table:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{name} has the pattern {pattern!r}: {error}") from error
    return table


def _positive(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{value!r} is no rank")
    return value


def _number(value: Any) -> float:
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or not math.isfinite(value)
    ):
        raise ValueError(f"{value!r} is no number")
    return float(value)
