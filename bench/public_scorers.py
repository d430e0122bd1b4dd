"""Loads the grading code of public scorers from their installed packages, and nothing else.

lmms-eval's modules import torch, datasets and more at the top, which the functions used here
never call. They are loaded one by one, by path, with stubs for those imports.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def load(package: Path, module: str) -> ModuleType:
    """``module`` ("api/metrics.py") of the package ``lmms_eval`` located at ``package``.

    Raises ``FileNotFoundError`` if it is not installed.
    """
    path = package / module
    name = "public_" + module.removesuffix(".py").replace("/", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    before = {missing: sys.modules.get(missing) for missing in _STAND_INS}
    sys.modules.update(_STAND_INS)
    try:
        spec.loader.exec_module(loaded)
    finally:
        for missing, was in before.items():
            if was is None:
                del sys.modules[missing]
            else:
                sys.modules[missing] = was
    return loaded


def _unchanged(*_: Any, **__: Any) -> Any:
    """A no-op for registering decorators."""
    return lambda function: function


def _module(name: str, **values: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(values)
    return made


_STAND_INS = {
    "lmms_eval": _module("lmms_eval", __path__=[]),
    "lmms_eval.api": _module("lmms_eval.api", __path__=[]),
    "lmms_eval.api.registry": _module(
        "lmms_eval.api.registry", register_aggregation=_unchanged, register_metric=_unchanged
    ),
    "sacrebleu": _module("sacrebleu"),
}
