"""Importing a stage is light; the workers' parent starts early where it will be needed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from pixel_core.config import PipelineConfig
from pixel_core.training import stages
from pixel_core.workflow.table import BY_NAME, STAGES


def test_importing_a_stage_imports_neither_torch_nor_transformers() -> None:
    modules = sorted({stage.run.partition(":")[0] for stage in STAGES})
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    heavy = {'torch', 'transformers', 'scipy', 'ray'} & sys.modules.keys()\n"
        "    assert not heavy, f'{name} imports {heavy}'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *modules], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("stage", "changes", "begins"),
    [
        ("base_model", {}, True),
        ("base_model", {"source": "pretrained", "pretrained": {"path": "/models/m"}}, False),
        ("base_model", {"place": {"on": "ray"}}, False),
        ("sft", {}, True),
        ("sft", {"backend": "ray_train"}, False),
        ("rl", {}, True),
        ("answers_base", {}, True),
        ("answers_base", {"engine": {"kind": "vllm"}}, False),
        ("answers_base", {"engine": {"actors": 2}}, False),
        ("ingest", {}, False),
        ("annotate", {}, False),
        ("evaluate", {}, False),
        ("report", {}, False),
    ],
)
def test_the_workers_parent_begins_for_stages_that_have_workers_here(
    stage: str, changes: dict[str, Any], begins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bool] = []
    monkeypatch.setattr(stages.team, "begin", lambda: begun.append(True))
    section = stage.partition("_")[0] if stage.startswith("answers") else stage
    given = {section: changes}
    if "place" in changes:
        given["cluster"] = {"address": "http://head:8265"}
    config = PipelineConfig.model_validate({"name": "x", **given})
    stages.begin_workers([(BY_NAME[stage], config)])
    assert begun == [True] * begins
