"""Real stages that take milliseconds: numbers, their squares, and the squares' sum."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from pixel_core.config import PipelineConfig
from pixel_core.workflow.runner import StageOutcome, run_stage
from pixel_core.workflow.stage import Stage, StageContext
from pixel_core.workflow.store import Artifact, Store
from pixel_core.workflow.store.open import open_storage


def numbers(context: StageContext) -> dict[str, object]:
    """As many numbers as ``ingest.drawn.train`` says, in two files."""
    count = context.config.ingest.drawn.train
    folder = context.out / "parts"
    folder.mkdir()
    (folder / "even.json").write_text(json.dumps(list(range(0, count, 2))))
    (folder / "odd.json").write_text(json.dumps(list(range(1, count, 2))))
    return {"count": count}


def squares(context: StageContext) -> dict[str, object]:
    """One number a step, each step kept; how far it got before shows in ``resumed``.

    ``FAIL_AT``: fail before that step. ``STOP_AT``: touch the file ``STOPPED`` and sleep
    there. ``STARTED``: append a line to that file each time the work starts.
    """
    _log_start()
    found = json.loads(context.work.get("found") or b"[]")
    resumed = len(found)
    values = [
        value
        for part in ("even", "odd")
        for value in json.loads((context.inputs["numbers"] / f"parts/{part}.json").read_text())
    ]
    for step in range(resumed, len(values)):
        if os.environ.get("FAIL_AT") == str(step):
            raise ArithmeticError(f"step {step} failed")
        if os.environ.get("STOP_AT") == str(step):
            Path(os.environ["STOPPED"]).touch()
            time.sleep(60)
        found.append(values[step] ** 2)
        context.work.put("found", json.dumps(found).encode())
        context.progress.update(step + 1, len(values))
    (context.out / "squares.json").write_text(json.dumps(found))
    context.work.put("costs.json", b'{"usd": 0.25}')
    return {"resumed": resumed}


def total(context: StageContext, *, start: int) -> dict[str, object]:
    """A stage whose output often stays the same when its input changes."""
    values = json.loads((context.inputs["squares"] / "squares.json").read_text())
    (context.out / "sign.txt").write_text("+" if sum(values) + start > 0 else "-")
    return {}


def seal(context: StageContext) -> dict[str, object]:
    (context.out / "seal.txt").write_text((context.inputs["total"] / "sign.txt").read_text())
    return {}


def overtaken(context: StageContext) -> dict[str, object]:
    """While it works, a process of another machine takes its lease (``STORE``)."""
    (context.out / "file").write_text("too late")
    storage = open_storage(os.environ["STORE"])
    (held,) = storage.entries("leases/overtaken")
    folder, _, name = held.path.rpartition("/")
    claim = {**json.loads(storage.read(held.path) or b""), "token": "another"}
    number = int(name.removesuffix(".json")) + 1
    storage.create(f"{folder}/{number:08d}.json", json.dumps(claim).encode())
    return {}


def nothing(context: StageContext) -> dict[str, object]:
    return {}


def not_a_number(context: StageContext) -> dict[str, object]:
    (context.out / "file").write_text("x")
    return {"loss": float("nan")}


def link(context: StageContext) -> dict[str, object]:
    (context.out / "link").symlink_to("/etc/hostname")
    return {}


def edited(context: StageContext) -> dict[str, object]:
    """What it reads changes while it works: somebody saves the manifest again."""
    os.environ["CONTENT"] = "edited"
    return numbers(context)


def fingerprint(config: PipelineConfig) -> dict[str, object]:
    """The content of ``CONTENT``, as a manifest's digest would be."""
    return {"content": os.environ.get("CONTENT", "")}


def stage(name: str, needs: tuple[str, ...] = (), version: int = 1, **changes: object) -> Stage:
    """A stage of this module by its function's name."""
    values: dict[str, object] = {
        "sections": ("evaluate",),
        "run": f"tiny_stages:{name}",
        "summary": "",
    }
    return Stage(name, version, needs=needs, **{**values, **changes})  # type: ignore[arg-type]


NUMBERS = stage("numbers", sections=("ingest",), fingerprint="tiny_stages:fingerprint")
SQUARES = stage("squares", ("numbers",), sections=("sft", "runtime"))
TOTAL = stage("total", ("squares",), arguments={"start": 1})
STAGES = (NUMBERS, SQUARES, TOTAL)


def small(**sections: object) -> PipelineConfig:
    """A configuration with six numbers, so that everything is quick."""
    return PipelineConfig.model_validate({"ingest": {"drawn": {"train": 6}}, **sections})


def squares_of(artifact: Artifact) -> list[int]:
    return json.loads((artifact.local() / "squares.json").read_text())


def make_squares(store: Store, **options: object) -> StageOutcome:
    """Run both stages; options go to the second."""
    numbers = run_stage(NUMBERS, small(), {}, store).artifact
    return run_stage(SQUARES, small(), {"numbers": numbers}, store, **options)  # type: ignore[arg-type]


def below(store: Store, folder: str) -> list[str]:
    """The paths of all objects below a folder of the store."""
    return [entry.path for entry in store.storage.entries(folder)]


def _log_start() -> None:
    if path := os.environ.get("STARTED"):
        with open(path, "a") as log:
            log.write(f"{os.getpid()}\n")
