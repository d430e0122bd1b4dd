"""A dataset by name from a hub: a server that speaks as much of its protocol as is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import TOKEN, Hub, serving

pytestmark = pytest.mark.ci

NAME = "org/cards"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

#: Ingests the dataset, again with the hub down, another one that isn't there, and a third
#: that the hub does not answer for.
PROGRAM = f"""
import json, sys, urllib.request
from pathlib import Path
from pixel_core.config import HubConfig, IngestConfig, PipelineConfig
from pixel_core.errors import PixelError
from pixel_core.data.sources import ingest
from pixel_core.workflow.stage import SilentProgress, StageContext

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


@pytest.fixture
def hub() -> Iterator[tuple[Hub, str]]:
    from test_hub_source import picture

    files = {f"images/{n}.png": picture(n) for n in range(3)}
    rows = [{"question": "?", "answer": "1", "image": name} for name in files]
    files["train.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows).encode()
    found = Hub(NAME, COMMIT, files)
    with serving(found) as endpoint:
        yield found, endpoint


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
