"""Functions by name, so that a table of stages can be read without importing its work."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def named_function(name: str) -> Callable[..., Any]:
    """The function behind ``"package.module:function"``; a wrong name is a bug and raises."""
    module, sign, attribute = name.partition(":")
    if not sign:
        raise ValueError(f"{name!r} is not of the form 'package.module:function'")
    return getattr(import_module(module), attribute)
