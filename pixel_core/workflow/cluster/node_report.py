"""What one node of a cluster says of itself: versions, GPUs, disk, variables, the store.

Runs on the node. Reads only the standard library until the store is asked for: a node that
lacks something must still be able to say so.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

#: Values of variables with such names are never reported.
_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSW|CREDENTIAL|AUTH|COOKIE", re.IGNORECASE)
#: Characters of a value or an error that are told.
_VALUE, _ERROR = 200, 1000
#: Seconds for ``nvidia-smi``, and for torch to load and look at the GPUs.
_SMI_SECONDS, _TORCH_SECONDS = 20, 120
_TORCH = (
    "import json, torch; cuda = torch.cuda; cuda.init(); "
    "found = [cuda.get_device_properties(i) for i in range(cuda.device_count())]; "
    "print(json.dumps([[one.name, one.total_memory / 2**30] for one in found]))"
)


def report(question: Mapping[str, Any], node: str, offered: float) -> dict[str, Any]:
    """JSON values of this node. ``offered``: the GPUs that Ray has here.

    ``question`` holds ``packages`` (names), ``plain``, ``hosts`` and ``hidden`` (variables:
    those whose value is told, of whose URL the host is told, and of which only is told that
    they are set), ``prefixes`` (of further plain ones) and ``store`` (see ``_try_store``).
    """
    devices, trouble = _devices(offered)
    plain, hidden = _variables(question, os.environ)
    return {
        "node": node,
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in question["packages"]},
        "devices": devices,
        "devices_error": _told(trouble),
        "disk_free_gib": shutil.disk_usage(tempfile.gettempdir()).free / 2**30,
        "plain": plain,
        "hidden": hidden,
        "store": _try_store(question["store"], node),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _variables(
    question: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Values of the plain ones, and names of the others; only what is set."""
    plain: dict[str, str] = {}
    hidden: list[str] = []
    wanted = {*question["plain"], *question["hosts"], *question["hidden"]}
    prefixes = tuple(question["prefixes"])
    for name, value in sorted(environment.items()):
        if name not in wanted and not name.startswith(prefixes):
            continue
        if _SECRET.search(name) or name in question["hidden"]:
            hidden.append(name)
        elif name in question["hosts"]:
            plain[name] = _host(value)
        else:
            plain[name] = _told(value)[:_VALUE]
    return plain, hidden


def _host(url: str) -> str:
    """``host:port`` of a URL; what stands before and after may be secret."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    except ValueError:
        return "not a URL"


def _devices(offered: float) -> tuple[list[tuple[str, float]], str]:
    """Name and GiB of each GPU, and why the framework can't use them ("": it can).

    A process that reserved no GPU is shown none, so torch looks in a process of its own. A
    node whose GPUs Ray does not offer is only asked for their names.
    """
    seen = _from_smi()
    if not offered:
        return seen, ""
    environment = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
    try:
        answer = _run([sys.executable, "-c", _TORCH], _TORCH_SECONDS, environment)
        return [(str(name), float(size)) for name, size in json.loads(answer)], ""
    except (OSError, subprocess.SubprocessError, ValueError, TypeError) as error:
        said = getattr(error, "stderr", None) or str(error)
        return seen, said.strip().splitlines()[-1] if said.strip() else "torch says nothing"


def _from_smi() -> list[tuple[str, float]]:
    """As the driver tells; nothing where there is none."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = _run(command, _SMI_SECONDS, dict(os.environ))
        rows = [line.rsplit(",", 1) for line in answer.splitlines() if "," in line]
        return [(name.strip(), float(size) / 1024) for name, size in rows]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def _run(command: list[str], seconds: float, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, check=True, env=environment
    )
    return done.stdout


def _try_store(asked: Mapping[str, str], node: str) -> dict[str, Any]:
    """Read what the control plane wrote and answer beside it, under the node's name.

    ``asked``: ``uri``, ``folder``, and ``sha256`` of the challenge. Nothing is written where
    the challenge is not seen: it would make a store of the node's own.
    """
    from_then = time.perf_counter()

    def answer(error: str, seen: bool = False) -> dict[str, Any]:
        milliseconds = 1000 * (time.perf_counter() - from_then)
        return {"seen": seen, "error": _told(error), "milliseconds": milliseconds}

    try:
        from pixel_core.errors import StorageError
        from pixel_core.workflow.store.open import open_storage
    except ImportError as error:
        return answer(f"the node can't load the store's code: {error}")
    try:
        storage = open_storage(asked["uri"])
        from_then = time.perf_counter()
        challenge = storage.read(f"{asked['folder']}/challenge")
        if challenge is None or hashlib.sha256(challenge).hexdigest() != asked["sha256"]:
            return answer("")
        storage.write(f"{asked['folder']}/{node}", challenge[::-1])
        return answer("", seen=True)
    except (StorageError, ImportError) as error:
        return answer(str(error))


def _told(text: str) -> str:
    """Without the values of secrets, and not endless."""
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= 4:
            text = text.replace(value, "***")
    return text[:_ERROR]
