"""The nightly flow with stages that take moments: ``python evaluating_program.py PROFILE``.

Prints each stage's status as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))

import tiny_pixel

if __name__ == "__main__":
    tiny_pixel.install()  # before anything reads the table

    from flows.cli.prefect_server import reporting
    from flows.request import RunRequest

    profile = sys.argv[1]
    with reporting("flows.evaluate", verbose=False) as recipe:
        recipe.evaluation(profile=profile)
    request = RunRequest(profile)
    record = request.open_store(request.config()).runs.latest()
    assert record is not None
    print(json.dumps({name: stage.status for name, stage in record.stages.items()}))
