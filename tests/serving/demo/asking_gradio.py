"""Questions to the page's server as a program of a stranger's would send them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import httpx

_SESSIONS = itertools.count()


def ask(client: httpx.Client, file: Any, headers: dict[str, str] | None = None) -> str:
    """What is answered to a question about ``file``, in whatever way, as text."""
    config = client.get("/config").json()
    asking = next(entry for entry in config["dependencies"] if len(entry["inputs"]) == 3)
    session = f"stranger{next(_SESSIONS)}"
    body = {"fn_index": asking["id"], "session_hash": session, "data": [file, None, "what?"]}
    joined = client.post("/gradio_api/queue/join", json=body, headers=headers)
    if joined.status_code != 200:
        return f"{joined.status_code} {joined.text}"
    told = []
    with client.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as events:
        for line in events.iter_lines():
            if line.startswith("data:"):
                told.append(line)
                if json.loads(line.removeprefix("data:"))["msg"] == "process_completed":
                    break
    return "\n".join(told)


def named(path: Path | str) -> dict[str, Any]:
    """A file as Gradio's page names one."""
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


def upload(
    client: httpx.Client, content: bytes, headers: Any = None, name: str = "a.png"
) -> httpx.Response:
    files = {"files": (name, content)}
    return client.post("/gradio_api/upload", files=files, headers=headers)
