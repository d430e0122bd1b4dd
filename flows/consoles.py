"""Where commands print: words are shown as they are.

Rich takes ``[...]`` for its markup and ``:name:`` for an emoji, and both stand in people's
paths and texts: of ``/data [old]/run`` it shows ``/data /run``. We style with ``Text`` only.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console


def plain_console(**how: Any) -> Console:
    """A console without markup, emoji names and highlighting; ``how``: Rich's other options."""
    return Console(highlight=False, markup=False, emoji=False, **how)
