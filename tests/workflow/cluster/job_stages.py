"""Stages for jobs on a real cluster, steered through files named in their environment.

As a script: a control plane of its own that makes one of them, so that it can be killed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from tiny_stages import NUMBERS, numbers

from pixel_core.config import PipelineConfig
from pixel_core.errors import DataError
from pixel_core.workflow.cluster.remote import run_on_cluster
from pixel_core.workflow.runner import StageOutcome, run_stage
from pixel_core.workflow.stage import Stage, StageContext
from pixel_core.workflow.store import Store

HERE = Path(__file__).parent
#: For the nodes: where this module and the ones it imports are.
PATH = os.pathsep.join((str(HERE), str(HERE.parents[1])))
STEPS = 6


def steps(context: StageContext) -> dict[str, object]:
    """Keeps each step it has made, and waits in the third until the file ``GATE`` is there.

    ``STARTED``: a line with its process is appended there at each start. ``NOISE``: lines
    that it writes to the log before anything else.
    """
    with Path(os.environ["STARTED"]).open("a") as log:
        log.write(f"{os.getpid()}\n")
    for number in range(int(os.environ.get("NOISE", "0"))):
        print(f"line {number:06d} {'.' * 80}")
    made = json.loads(context.work.get("made") or b"[]")
    resumed = len(made)
    try:
        for step in range(resumed, STEPS):
            while step == 3 and not Path(os.environ["GATE"]).exists():
                time.sleep(0.02)
            print(f"step {step}")
            made.append(step**2)
            context.work.put("made", json.dumps(made).encode())
            context.progress.update(step + 1, STEPS, loss=1 / (step + 1))
    except KeyboardInterrupt:
        context.progress.note(f"saved {len(made)} steps")
        raise
    (context.out / "made.json").write_text(json.dumps(made))
    return {"resumed": resumed, "code": str(sys.modules["pixel_core"].__file__)}


def refused(context: StageContext) -> dict[str, object]:
    """Cannot use its data until the file ``GATE`` is there."""
    with Path(os.environ["STARTED"]).open("a") as log:
        log.write(f"{os.getpid()}\n")
    if not Path(os.environ["GATE"]).exists():
        raise DataError("record 7 has no answer: mend the manifest")
    return numbers(context)


STEPPING = Stage("stepping", 1, ("sft",), ("numbers",), "job_stages:steps", "")
REFUSED = Stage("refused", 1, ("sft",), (), "job_stages:refused", "")


def make(config: PipelineConfig, store: Store, **options: object) -> StageOutcome:
    """``STEPPING`` on the cluster, its input made here."""
    made = run_stage(NUMBERS, config, {}, store).artifact
    return run_on_cluster(STEPPING, config, {"numbers": made}, store, **options)  # type: ignore[arg-type]


if __name__ == "__main__":
    given = PipelineConfig.model_validate_json(sys.argv[1])
    make(given, Store.open(sys.argv[2]), say=lambda sentence: print(sentence, flush=True))
