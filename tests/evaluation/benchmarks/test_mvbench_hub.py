"""MVBench from a server that speaks the hub's protocol: either branch, by its commit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import TOKEN, Hub, serving
from mvbench_copy import write_cut, write_main

from pixel_core.evaluation.benchmarks.registry import BENCHMARKS

LAYOUT = BENCHMARKS["mvbench"].layouts["own"]
#: Any other commit, as one of ``main`` is.
OTHER = "0123456789abcdef0123456789abcdef01234567"

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from preparing import prepared
settings = {"revision": sys.argv[3]} if sys.argv[3] else {}
made = prepared(Path(sys.argv[1]), "mvbench", incomplete=True, frames=2, **settings)
print(made.facts.model_dump_json())
"""


@pytest.mark.parametrize(
    ("write", "revision", "kinds"),
    [
        (write_cut, "", {"action_localization"}),
        (
            write_main,
            OTHER,
            {
                *("action_antonym", "action_sequence", "egocentric_navigation"),
                *("episodic_reasoning", "object_existence"),
            },
        ),
    ],
)
def test_only_questions_and_videos_are_fetched(
    tmp_path: Path, write, revision: str, kinds: set[str]
) -> None:
    local = write(tmp_path / "published")
    (local / "assert").mkdir()
    (local / "assert" / "leaderboard.png").write_bytes(b"a picture of the card")
    files = {
        str(path.relative_to(local)): path.read_bytes()
        for path in local.rglob("*")
        if path.is_file()
    }
    hub = Hub(LAYOUT.dataset, revision or LAYOUT.revision, files)
    with serving(hub) as endpoint:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, tmp_path / "out", Path(__file__).parent, revision],
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
    assert facts["revision"] == (revision or LAYOUT.revision)
    assert {kind for kind, count in facts["kinds"].items() if count["used"]} == kinds
    assert not [path for path in hub.asked if "leaderboard" in path]
