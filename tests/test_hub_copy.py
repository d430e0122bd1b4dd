"""A server that is no hub, or says nothing: told, and never taken for a whole dataset."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hub_server import TOKEN, Hub, serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"

#: Fetches one file of ``org/part`` alone, as people do, before all are asked for.
PROGRAM = f"""
import json, sys
from huggingface_hub import hf_hub_download
from pixel_core.errors import PixelError
from pixel_core.data.hub_files import Dataset, copy_of

def told(name):
    try:
        return ["", str(copy_of(Dataset(name, "{COMMIT}", "", "benchmarks.vstar")))]
    except PixelError as error:
        return [type(error).__name__, str(error)]

hf_hub_download("org/part", "a.txt", repo_type="dataset", revision="{COMMIT}")
print(json.dumps({{name: told(name) for name in sys.argv[1:]}}))
"""

JSON = {"Content-Type": "application/json"}
XET_FILE = {"type": "file", "path": "a", "size": 3, "oid": "0" * 40, "xetHash": "1" * 64}

#: What the server says of a dataset, whatever is asked.
ODD: dict[str, tuple[dict[str, str], bytes]] = {
    "odd/page": ({"Content-Type": "text/html"}, b"<html>Please log in</html>"),
    "odd/row": (JSON, b'[{"type": "file", "size": 1}]'),
    "odd/texts": (JSON, b'["a", "b"]'),
    "odd/nothing": (JSON, b"null"),
    "odd/outside": (JSON, b'[{"type": "file", "path": "../x", "size": 1, "oid": "0"}]'),
    "odd/token": (
        {
            **JSON,
            "X-Repo-Commit": COMMIT,
            "ETag": '"2"',
            "X-Xet-Hash": "1" * 64,
            # The library puts its endpoint in the place of the hub's.
            "X-Xet-Refresh-Route": "https://huggingface.co/odd/token",
        },
        json.dumps([XET_FILE]).encode(),
    ),
}


class OddHub(Hub):
    """Never lists the files of ``org/part``."""

    def answer(self, path: str, token: str) -> tuple[int, dict[str, str], bytes]:
        for name, (headers, data) in ODD.items():
            if name in path:
                return 200, headers, data
        if "/tree/" in path:
            return 501, {}, b""
        return super().answer(path, token)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    hub = OddHub("org/part", COMMIT, {"a.txt": b"1", "b.txt": b"2"})
    with serving(hub) as endpoint:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "org/part", *ODD],
            env={
                **os.environ,
                "HF_ENDPOINT": endpoint,
                "HF_HOME": str(tmp_path_factory.mktemp("hf")),
                "HF_TOKEN": TOKEN,
                "HF_HUB_OFFLINE": "0",
                "HF_HUB_DISABLE_TELEMETRY": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_part_in_the_cache_is_not_the_dataset(told: dict[str, list[str]]) -> None:
    kind, text = told["org/part"]
    assert kind == "EndpointError"
    assert "the hub did not answer" in text
    assert "check the network" in text


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_hub_is_told(told: dict[str, list[str]], name: str) -> None:
    kind, text = told[name]
    assert kind == "EndpointError"
    assert "does not speak as the hub does" in text
    assert "HF_HUB_DISABLE_XET=1" in text
    assert "benchmarks.vstar.local" in text
