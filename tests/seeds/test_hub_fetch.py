"""A dataset by name from a hub: a server that speaks as much of its protocol as is asked."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

NAME = "org/cards"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_neverToBeSeen"

#: Ingests the dataset, again with the hub down, another one that isn't there, and a third
#: that the hub does not answer for.
PROGRAM = f"""
import json, sys, urllib.request
from pathlib import Path
from pixel_core.config import HubConfig, IngestConfig, PipelineConfig
from pixel_core.errors import PixelError
from pixel_core.seeds import ingest
from pixel_core.stage import SilentProgress, StageContext

def run(name, out):
    hub = HubConfig(name=name, revision="{COMMIT}", files={{"train": "*.jsonl"}})
    config = PipelineConfig(ingest=IngestConfig(sources=("hub",), hub=hub))
    out = Path(out)
    out.mkdir()
    try:
        fingerprint = ingest.fingerprint(config)
        ingest.run(StageContext(config, {{}}, out, None, SilentProgress()))
    except PixelError as error:
        return [type(error).__name__, str(error)]
    return [fingerprint, (out / "seeds.jsonl").read_text()]

endpoint, folder = sys.argv[1:]
first = run("{NAME}", folder + "/a")
missing = run("org/missing", folder + "/b")
urllib.request.urlopen(endpoint + "/down").read()
again = run("{NAME}", folder + "/c")
print(json.dumps([first, missing, again, run("org/other", folder + "/d")]))
"""


class Hub:
    """Files of one dataset at one commit; open to who has the token."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.down = False
        self.asked: list[str] = []

    def answer(self, path: str, token: str) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(path)
        if path == "/down":
            self.down = True
            return 200, {}, b""
        if self.down:
            return 503, {}, b""
        if token != f"Bearer {TOKEN}":
            return 401, {"X-Error-Code": "GatedRepo"}, b""
        if path == f"/api/datasets/{NAME}/tree/{COMMIT}":
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": _sha1(data)}
                for name, data in self.files.items()
            ]
            return 200, {"Content-Type": "application/json"}, json.dumps(tree).encode()
        prefix = f"/datasets/{NAME}/resolve/{COMMIT}/"
        if path.startswith(prefix) and (data := self.files.get(path[len(prefix) :])):
            return 200, {"X-Repo-Commit": COMMIT, "ETag": f'"{_sha1(data)}"'}, data
        return 404, {"X-Error-Code": "RepoNotFound"}, b""


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def _answer(self, body: bool) -> None:
            token = self.headers.get("Authorization", "")
            path = unquote(urlsplit(self.path).path)
            status, headers, data = hub.answer(path, token)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *unused: object) -> None:
            pass

    return Handler


@pytest.fixture
def hub() -> Iterator[tuple[Hub, str]]:
    from test_hub_source import picture

    files = {f"images/{n}.png": picture(n) for n in range(3)}
    rows = [{"question": "?", "answer": "1", "image": name} for name in files]
    files["train.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows).encode()
    found = Hub(files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_dataset_is_fetched_once_and_kept(hub: tuple[Hub, str], tmp_path: Path) -> None:
    server, endpoint = hub
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_TOKEN": TOKEN,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PIXEL_CACHE": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-c", PROGRAM, endpoint, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, missing, again, down = json.loads(done.stdout.splitlines()[-1])
    assert first[0] == {"hub": {"dataset": NAME, "commit": COMMIT}}
    seeds = [json.loads(line) for line in first[1].splitlines()]
    assert len(seeds) == 3
    stated = seeds[0]["provenance"]
    assert (stated["source"], stated["revision"]) == (f"hub:{NAME}", COMMIT)
    assert sum(path.endswith("/images/0.png") for path in server.asked) <= 2  # HEAD and GET
    assert again == first  # the hub was down: what was fetched is enough
    assert missing[0] == "DataError"
    assert "org/missing" in missing[1]
    assert "HF_TOKEN" in missing[1]
    assert down[0] == "EndpointError"
    assert "ingest.hub.local" in down[1]
    assert TOKEN not in done.stdout + done.stderr
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in kept if TOKEN.encode() in path.read_bytes()]
