"""A benchmark fetched by its dataset's name, from a server that speaks the hub's protocol."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from hub_server import TOKEN, Hub, serving
from published_files import write_vstar

from pixel_core.evaluation.benchmarks.registry import BENCHMARKS

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from preparing import prepared
made = prepared(Path(sys.argv[1]), "vstar", limit=6)
print(made.facts.model_dump_json())
"""


def test_only_what_is_needed_is_fetched(tmp_path: Path) -> None:
    local = write_vstar(tmp_path / "vstar", lambda rows: None)
    for path in sorted(local.rglob("sa_*.*")):
        # Few files: their number is what takes the time. The limit asks four questions of one
        # kind and two of the other, on three of them.
        if path.stem not in ("sa_0", "sa_1"):
            path.unlink()
    (local / "GPT4V-hard").mkdir()
    (local / "GPT4V-hard" / "0.jpg").write_bytes(b"not part of the 191")
    files = {
        str(path.relative_to(local)): path.read_bytes()
        for path in local.rglob("*")
        if path.is_file()
    }
    layout = BENCHMARKS["vstar"].layouts["own"]
    hub = Hub(layout.dataset, layout.revision, files)
    with serving(hub) as endpoint:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, tmp_path / "out", Path(__file__).parent],
            env={
                **os.environ,
                "HF_ENDPOINT": endpoint,
                "HF_HOME": str(tmp_path / "hf"),
                "HF_TOKEN": TOKEN,
                "HF_HUB_OFFLINE": "0",
                "HF_HUB_DISABLE_TELEMETRY": "1",
                "PIXEL_CACHE": str(tmp_path / "cache"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    assert (facts["dataset"], facts["revision"]) == (layout.dataset, layout.revision)
    assert (facts["used"], facts["found"], facts["complete"]) == (6, 191, True)
    assert not [path for path in hub.asked if "GPT4V" in path]
    assert TOKEN not in done.stdout + done.stderr
