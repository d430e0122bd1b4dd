"""Hashes of the source a stage stands on, by room, to warn when code changed under a reuse."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import pixel_core
from pixel_core.config import PipelineConfig
from pixel_core.stage import Stage

#: What every stage may stand on, from ``pixel_core``'s root.
LOWER_ROOMS = (
    "vision",
    "dialogue",
    "drawn",
    "models",
    "rewards",
    "workers",
    "endpoints",
    "records.py",
    "jsonl_places.py",
)
#: Lower rooms that only some stage rooms stand on.
STANDS_ON = {
    "evaluation": ("scoring", "pages", "viewer"),
    "training": ("scoring",),
    "openrlhf": ("training", "scoring"),
    "reporting": ("pages", "viewer", "scoring"),
    "study": ("scoring", "pages"),
}
_KINDS = (".py", ".jinja", ".css")


def source_hashes(stage: Stage, config: PipelineConfig) -> dict[str, str]:
    """``{"training": sha256, "vision": ...}`` for the stage's own room and those below."""
    module = stage.function(config).partition(":")[0]
    root = Path(pixel_core.__file__).parent
    hashes = {room: _hash(root / room) for room in LOWER_ROOMS}
    package, _, rest = module.partition(".")
    if package == "pixel_core":
        room = rest.partition(".")[0]
        place = root / room
        hashes[room] = _hash(place if place.is_dir() else place.with_suffix(".py"))
        hashes |= {lower: _hash(root / lower) for lower in STANDS_ON.get(room, ())}
    else:
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"stage {stage.name!r}: there is no module {module!r}")
        hashes[module] = _hash(Path(spec.origin))
    return hashes


def changed_rooms(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The rooms whose source differs, sorted."""
    return sorted(room for room in {*old, *new} if old.get(room) != new.get(room))


@lru_cache(maxsize=64)
def _hash(place: Path) -> str:
    """Once a process: code that changes while it runs is not the code that runs."""
    files = [place] if place.is_file() else sorted(place.rglob("*"))
    digest = hashlib.sha256()
    for file in files:
        if file.suffix in _KINDS and file.is_file():
            digest.update(file.relative_to(place.parent).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
