"""The order of the wings in docs/architecture.md, held against the imports themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("flows", "tasks", "pixel_core")

#: From the top down. A module imports from the levels below its own and from its own wing.
LEVELS = (
    {"flows.cli"},
    {"flows"},
    {"tasks"},
    {"serving", "evaluation", "dev"},
    {"training", "data", "report"},
    {"models"},
    {"tiny"},
    {"rollout"},
    {"media"},
    {"workflow", "rewards", "statistics"},
    {"config", "jsonl"},
    {"records", "nesting", "garbage"},
    {"errors"},
)
#: Where alone a package is imported, and where alone at a module's top: elsewhere that is done
#: in the function that needs it, so that a plan or a help text does not wait for it.
HOMES = {
    "prefect": ("flows", "tasks"),
    "gradio": ("pixel_core.serving.demo",),
    "openrlhf": ("pixel_core.training.openrlhf",),
}
TOP_HOMES = {
    "torch": ("pixel_core.models", "pixel_core.training", "pixel_core.tiny"),
    "transformers": ("pixel_core.models", "pixel_core.training", "pixel_core.tiny"),
    "vllm": ("pixel_core.models.vllm_choice",),
    "ray": ("pixel_core.training.ray_train", "pixel_core.workflow.cluster.probe_job"),
    "deepspeed": (),
    "datasets": (),
    "openai": (),
    "peft": (),
    "pyarrow": (),
    "sympy": (),
    "playwright": (),
}


@cache
def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(part for part in parts if part != "__init__")] = file
    return found


def wing(module: str) -> str:
    if module == "flows.cli" or module.startswith("flows.cli."):
        return "flows.cli"
    top, _, below = module.partition(".")
    return below.partition(".")[0] if top == "pixel_core" and below else top


def level(module: str) -> int:
    return next(place for place, wings in enumerate(LEVELS) if wing(module) in wings)


def imports(tree: ast.AST, *, top_only: bool = False) -> Iterator[str]:
    """Names that are imported when the module runs: not those for a type checker alone.

    ``top_only``: not those inside functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in modules() else str(node.module)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        elif not (top_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            yield from imports(node, top_only=top_only)


@cache
def parsed(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


@cache
def arrows() -> dict[str, frozenset[str]]:
    """Module to modules of ours that it imports, at its top or in a function."""
    return {
        module: frozenset(name for name in imports(parsed(module)) if name in modules())
        for module in modules()
    }


def test_every_module_belongs_to_a_wing() -> None:
    lost = [module for module in modules() if module != "pixel_core" and not _placed(module)]
    assert not lost


def _placed(module: str) -> bool:
    return any(wing(module) in wings for wings in LEVELS)


def test_no_arrow_points_up() -> None:
    wrong = [
        f"{module} -> {name}"
        for module, names in arrows().items()
        for name in names
        if "pixel_core" not in (module, name) and wing(module) != wing(name)
        if level(module) >= level(name)
    ]
    assert not wrong


def test_no_circle() -> None:
    try:
        TopologicalSorter(arrows()).prepare()
    except CycleError as error:
        pytest.fail(f"modules import one another: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize(("package", "homes"), HOMES.items(), ids=HOMES)
def test_a_package_is_used_in_its_wing_alone(package: str, homes: tuple[str, ...]) -> None:
    assert not _users(package, homes, top_only=False)


@pytest.mark.parametrize(("package", "homes"), TOP_HOMES.items(), ids=TOP_HOMES)
def test_a_heavy_package_is_imported_where_it_is_used(
    package: str, homes: tuple[str, ...]
) -> None:
    assert not _users(package, homes, top_only=True)


def _users(package: str, homes: tuple[str, ...], *, top_only: bool) -> list[str]:
    """Modules outside the homes that import the package."""
    return [
        module
        for module in modules()
        if not any(module == home or module.startswith(f"{home}.") for home in homes)
        and any(
            name.partition(".")[0] == package
            for name in imports(parsed(module), top_only=top_only)
        )
    ]
