"""Hashes of the source a stage stands on, by folder, to warn when code changed under a reuse.

Which files those are follows from the code: whatever the stage's module imports, at its top or
inside a function, and what it names as a string to be imported or read later.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

import pixel_core
from pixel_core.config import PipelineConfig
from pixel_core.workflow.stage import Stage

PACKAGE = "pixel_core"
_ROOT = Path(pixel_core.__file__).parent

_FROM = re.compile(
    r"^[ \t]*from (pixel_core(?:\.\w+)*) import (\([^)]*\)|[^\n]*)", re.MULTILINE
)
_IMPORT = re.compile(r"^[ \t]*import (pixel_core(?:\.\w+)+)", re.MULTILINE)
#: "pixel_core.models.engine:make", and "pixel_core.report.html", whose templates are read.
_NAMED = re.compile(r"[\"'](pixel_core(?:\.\w+)+)(?::\w+)?[\"']")
#: What only a type checker imports.
_TYPES = re.compile(r"^if TYPE_CHECKING:\n(?:(?:[ \t][^\n]*)?\n)+", re.MULTILINE)
_NAME = re.compile(r"\w+")
#: The tables of stages name each stage's function, and read none of them.
_TABLES = ("pixel_core.workflow.table", "pixel_core.workflow.table")


def source_hashes(stage: Stage, config: PipelineConfig) -> dict[str, str]:
    """``{"training": sha256, "vision": ...}``: by folder below ``pixel_core``, of the files in
    it that the stage can reach; files at the top by their own names. A stage's module that is
    not of ``pixel_core`` is hashed under its own name, beside what it reaches."""
    module = stage.function(config).partition(":")[0]
    hashes: dict[str, str] = {}
    if not _is_ours(module):
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"stage {stage.name!r}: there is no module {module!r}")
        hashes[module] = hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()
        start = _named_in(Path(spec.origin).read_text(encoding="utf-8"))
    else:
        start = frozenset({module})
    rooms: dict[str, list[Path]] = {}
    for file in files_reached(start):
        rooms.setdefault(_room(file), []).append(file)
    return hashes | {room: _hash(tuple(sorted(files))) for room, files in rooms.items()}


def changed_rooms(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The folders whose source differs, sorted."""
    return sorted(room for room in {*old, *new} if old.get(room) != new.get(room))


def folders_gone(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Folders that were hashed then and are no longer there, sorted: files were moved since."""
    return sorted(room for room in {*old} - {*new} if not (_ROOT / room).exists())


def files_reached(modules: frozenset[str]) -> frozenset[Path]:
    """The modules' files, those of all they import or name, and what lies beside them that is
    no Python: templates, styles, tables."""
    left, seen = list(modules), set(modules)
    files: set[Path] = set()
    while left:
        name = left.pop()
        if name not in _files():
            continue  # a class or a function
        file = _files()[name]
        files |= {file, *_data(file.parent)}
        more = _reached_from(name) - seen
        seen |= more
        left += more
    return frozenset(files)


@cache
def _reached_from(module: str) -> frozenset[str]:
    """Its own package, which is run before it, and what it imports or names."""
    text = _files()[module].read_text(encoding="utf-8")
    parent = {module.rpartition(".")[0]} if "." in module else set()
    return _named_in(text, with_strings=module not in _TABLES) | parent


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == PACKAGE


@lru_cache(maxsize=1)
def _files() -> dict[str, Path]:
    """The file of every module and package of ours, by its name. Once a process: code that
    changes while it runs is not the code that runs."""
    found = {}
    for file in _ROOT.rglob("*.py"):
        parts = file.relative_to(_ROOT).with_suffix("").parts
        found[".".join((PACKAGE, *(part for part in parts if part != "__init__")))] = file
    return found


def _named_in(text: str, with_strings: bool = True) -> frozenset[str]:
    """Modules of ours that the text of a module imports or names, among other names."""
    text = _TYPES.sub("", text)
    found = set(_IMPORT.findall(text))
    if with_strings:
        found |= set(_NAMED.findall(text))
    for module, names in _FROM.findall(text):
        found.add(module)
        plain = re.sub(r"#[^\n]*| as \w+", "", names)
        found |= {f"{module}.{name}" for name in _NAME.findall(plain)}
    return frozenset(found)


@cache
def _data(folder: Path) -> frozenset[Path]:
    """What is no Python in a folder, and in the folders below it that hold no Python."""
    found: set[Path] = set()
    for place in folder.iterdir():
        if place.is_dir() and place.name != "__pycache__" and not _holds_python(place):
            found |= {file for file in place.rglob("*") if file.is_file()}
        elif place.is_file() and place.suffix != ".py":
            found.add(place)
    return frozenset(found)


def _holds_python(folder: Path) -> bool:
    return next(folder.rglob("*.py"), None) is not None


@cache
def _room(file: Path) -> str:
    """The folder of the Python that a file belongs to; a file at the top is its own."""
    place = file.relative_to(_ROOT)
    room = place.parent
    if room == Path():
        return place.name
    while room.parent != Path() and not any((_ROOT / room).glob("*.py")):
        room = room.parent
    return room.as_posix()


@cache
def _hash(files: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(_ROOT).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
