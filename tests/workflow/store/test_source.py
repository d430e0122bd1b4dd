"""Which files' changes are warned of follows from what the stages import and name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import pixel_core
from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.workflow.store.source import (
    changed_rooms,
    files_reached,
    folders_gone,
    source_hashes,
)
from pixel_core.workflow.table import STAGES, benchmark_stages

ROOT = Path(pixel_core.__file__).parent

#: Imports modules one after the other and says which of ours are there in the end.
_IMPORTING = """
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
ours = [m for n, m in sys.modules.items() if n.partition(".")[0] == "pixel_core"]
print(json.dumps(sorted(m.__file__ for m in ours if m.__file__)))
"""


def config() -> PipelineConfig:
    return load_profile("tiny")


def modules() -> list[str]:
    """Of all stages."""
    return sorted({stage.function(config()).partition(":")[0] for stage in STAGES})


def imported(names: list[str]) -> set[Path]:
    command = [sys.executable, "-c", _IMPORTING, json.dumps(names)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return {Path(file) for file in json.loads(done.stdout)}


def test_whatever_the_stages_import_is_hashed() -> None:
    """A file that a stage can reach and that is not hashed would change in silence."""
    names = modules()
    assert len(names) > 7
    assert imported(names) <= files_reached(frozenset(names))


@pytest.mark.parametrize(
    "module", ["pixel_core.data.sources.ingest", "pixel_core.evaluation.held_out"]
)
def test_each_of_them_alone_too(module: str) -> None:
    assert imported([module]) <= files_reached(frozenset({module}))


def test_what_is_imported_inside_a_function_counts() -> None:
    """Sources and engines are named as strings, or imported when they are needed."""
    reached = {
        file.relative_to(ROOT).as_posix()
        for file in files_reached(frozenset({"pixel_core.data.sources.ingest"}))
    }
    assert {"data/sources/pages/source.py", "data/hub_files.py", "tiny/scene.py"} <= reached
    assert "data/sources/pages_answer.js" in reached  # read by a module, no Python
    assert not any(name.startswith(("training/", "report/")) for name in reached)


def test_templates_belong_to_what_reads_them() -> None:
    reached = files_reached(frozenset({"pixel_core.report.report"}))
    shown = {file.relative_to(ROOT).as_posix() for file in reached}
    assert {"report/templates/report.html.jinja", "report/html/templates/page.css"} <= shown
    assert "report/episodes/templates/episode.html.jinja" in shown


def test_the_tables_of_stages_are_no_way_from_one_stage_to_another() -> None:
    evaluate = next(stage for stage in STAGES if stage.name == "evaluate")
    rooms = source_hashes(evaluate, config())
    assert "evaluation" in rooms
    assert "statistics" in rooms
    assert "workflow" in rooms
    assert not {"training", "data/annotation", "training/openrlhf"} & set(rooms)


def test_every_stage_has_its_own_folder_and_the_records() -> None:
    for stage in STAGES:
        rooms = source_hashes(stage, config())
        own = "/".join(stage.function(config()).split(".")[1:-1])
        assert {own, "records.py", "errors.py"} <= set(rooms), stage.name


def test_the_benchmarks_stages_stand_on_graders_and_readers() -> None:
    several = load_profile("qwen2_5_vl_7b")
    rooms = {
        stage.name: set(source_hashes(stage, several)) for stage in benchmark_stages(several)
    }
    prepared = [found for name, found in rooms.items() if name.startswith("benchmark_")]
    scored = [found for name, found in rooms.items() if name.startswith("scores_")]
    assert prepared
    assert all("evaluation/benchmarks" in found for found in prepared)
    assert scored
    assert all({"rewards/graders", "statistics"} <= found for found in scored)


def test_a_change_names_its_folder() -> None:
    before = {"training": "a", "vision": "b"}
    assert changed_rooms(before, dict(before)) == []
    assert changed_rooms(before, {"training": "c", "vision": "b"}) == ["training"]
    assert changed_rooms(before, {"vision": "b", "models": "d"}) == ["models", "training"]


def test_a_folder_that_was_moved_is_known_from_one_that_changed() -> None:
    now = {"training": "a", "media": "b", "errors.py": "c"}
    assert folders_gone({"training": "z", "media": "b", "errors.py": "c"}, now) == []
    assert folders_gone({"training": "a", "vision": "b", "profile.py": "c"}, now) == [
        "profile.py",
        "vision",
    ]
    # Not looked at now, but there.
    assert folders_gone({"rewards": "a", "training": "a"}, now) == []
