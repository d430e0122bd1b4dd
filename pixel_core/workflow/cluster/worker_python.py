"""The interpreter of Ray's workers, where its path is none that a shell takes as it is.

Ray starts each worker by a line for bash into which it puts ``sys.executable`` unquoted, so
that in a checkout below "/home/me/my models [new]" no worker starts. Source: Ray's
``RuntimeEnvContext.exec_worker``. What a runtime environment names as ``py_executable`` goes
into that line instead, and may be quoted.
"""

from __future__ import annotations

import re
import shlex
import sys

#: What bash does not take for a letter. Others than ASCII's it does.
_SPECIAL = re.compile(r"[^\w@%+=:,./\-]")


def needs_quotes(path: str) -> bool:
    return bool(_SPECIAL.search(path)) or path.startswith("~")


def here() -> dict[str, str]:
    """For the runtime environment of a Ray on this machine; {} where Ray does it right."""
    return (
        {"py_executable": shlex.quote(sys.executable)} if needs_quotes(sys.executable) else {}
    )


def on_nodes() -> dict[str, str]:
    """For that of a job, whose nodes may have their interpreter elsewhere: the ``python`` that
    its command is run by too. {} where this machine's path gives no reason to."""
    return {"py_executable": "python"} if needs_quotes(sys.executable) else {}
