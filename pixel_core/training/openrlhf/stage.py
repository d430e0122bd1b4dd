"""The stage ``rl`` on OpenRLHF: prepare its files, run it to the end, bring its model back.

Everything lies in one folder that all nodes reach (``places.py``). A run that was killed
finds it again through its workspace, and OpenRLHF goes on from its last checkpoint.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pixel_core.config import RlConfig
from pixel_core.errors import ConfigError, StageFailed
from pixel_core.models.loading import FOLDER, load_vocabulary
from pixel_core.models.vllm_inputs import check_folder, head_rows
from pixel_core.records import Annotation, Query, Split, read_jsonl
from pixel_core.rollout.queries import queries_of
from pixel_core.rollout.renderer import Renderer
from pixel_core.training.curve import write_curve
from pixel_core.training.guards import write_health
from pixel_core.training.openrlhf.arguments import build_arguments
from pixel_core.training.openrlhf.checkpoint import bring_back, lay_out
from pixel_core.training.openrlhf.dataset import Fitting, most_pictures, steps_of, write_prompts
from pixel_core.training.openrlhf.following import Curve
from pixel_core.training.openrlhf.places import RunFolder
from pixel_core.training.openrlhf.process import run_to_end
from pixel_core.training.openrlhf.settings import AgentSettings
from pixel_core.training.validation import validation_queries
from pixel_core.workflow.stage import StageContext

#: The curve's last rows are averaged over this many steps, as in our own trainer.
_TAIL = 10
_SHOWN = ("accuracy", "rapr", "uniform_groups", "truncated")


def run(context: StageContext) -> dict[str, Any]:
    """Write ``model/``, ``curve.jsonl`` and ``health.jsonl``, as the embedded stage does."""
    rl = context.config.rl
    if find_spec("openrlhf") is None:
        raise ConfigError(
            "rl.backend 'openrlhf' needs OpenRLHF, which this environment lacks: run the stage "
            'where the GPU plane\'s image is (docker/, rl.place.on = "ray"), or set '
            "rl.backend to 'embedded'"
        )
    folder = RunFolder.of(rl.openrlhf.scratch, context.work)
    folder.sweep()
    fitting, arguments = prepare(context, folder)
    curve = Curve(rl, context.progress)
    if folder.is_trained():
        curve.recall(folder.log.read_text(encoding="utf-8", errors="replace").split("\n"))
    else:
        _train(context, folder, arguments, curve)
    return _collect(context, folder, curve, fitting)


def prepare(context: StageContext, folder: RunFolder) -> tuple[Fitting, list[str]]:
    """Write what OpenRLHF reads; its queries, and its command line. Does again only what is
    not there yet."""
    rl, dialogue = context.config.rl, context.config.dialogue
    warm_start = context.inputs["sft"]
    annotations = context.inputs["annotate"] / "annotations.jsonl"
    seeds = [a.seed for a in read_jsonl(annotations, Annotation)]
    vocabulary = load_vocabulary(warm_start)
    prompts = Renderer(dialogue, vocabulary)
    fitting = Fitting.of(queries_of(seeds, Split.TRAIN, "the annotate stage"), prompts)
    if fitting.left_out:
        context.progress.note(
            f"{fitting.left_out} questions are too long for dialogue.max_tokens "
            f"{dialogue.max_tokens} and are left out"
        )
    asked: list[Query] = list(fitting.queries)
    if rl.validate_every:
        validation = validation_queries(seeds, rl.validation_questions)
        write_prompts(folder.evaluation, validation)
        asked += validation
    arguments = build_arguments(rl, dialogue, folder, most_pictures(asked, dialogue))
    write_prompts(folder.train, steps_of(fitting.queries, rl.steps, rl.queries, rl.seed))
    _copy(context.inputs["ingest"] / "pictures.zip", folder.pictures)
    context.progress.note(f"laying out the model for OpenRLHF in {folder.root}")
    lay_out(warm_start, folder.start, dialogue)
    AgentSettings(
        dialogue=dialogue,
        reward=rl.reward,
        advantage=rl.advantage,
        group=rl.group,
        model=str(folder.start),
        rows=head_rows(check_folder(warm_start / FOLDER)),
        pictures=str(folder.root),
    ).write(folder.root)
    shutil.copyfile(Path(__file__).with_name("agent.py"), folder.agent)
    return fitting, arguments


def _train(
    context: StageContext, folder: RunFolder, arguments: list[str], curve: Curve
) -> None:
    rl = context.config.rl
    going_on = folder.drop_broken_checkpoints()
    context.progress.note(
        f"OpenRLHF {'goes on from its last checkpoint' if going_on else 'starts'}: "
        f"{rl.steps} steps of {rl.queries} x {rl.group} rollouts; log in {folder.log}"
    )
    try:
        run_to_end(
            arguments, folder.log, curve.read, curve.recall, rl.openrlhf.timeout_h * 3600
        )
    except StageFailed as error:
        if curve.rows or rl.openrlhf.scratch or rl.place.on != "ray":
            raise
        raise StageFailed(
            f"{error}\nNothing was trained. If files in {folder.root} were not found: the GPUs "
            "are on another node than the job's own process; set rl.openrlhf.scratch to a "
            "folder that all nodes share"
        ) from error
    folder.mark_trained()


def _collect(
    context: StageContext, folder: RunFolder, curve: Curve, fitting: Fitting
) -> dict[str, Any]:
    rl = context.config.rl
    missing = rl.steps - len(curve.rows)
    if missing:
        context.progress.note(
            f"{missing} of {rl.steps} status lines did not reach {folder.log}: the curve has "
            "gaps there"
        )
    context.progress.note("checking the weights that OpenRLHF saved")
    bring_back(folder.final, context.inputs["sft"], context.out)
    write_curve(context.out, curve.rows)
    write_health(context.out, curve.events)
    folder.mark_collected()
    return _metrics(rl, curve, fitting)


def _metrics(rl: RlConfig, curve: Curve, fitting: Fitting) -> dict[str, Any]:
    metrics: dict[str, Any] = {
        "steps": rl.steps,
        "queries": len(fitting.queries),
        "queries_too_long": fitting.left_out,
    }
    tail = curve.rows[-_TAIL:]
    for key in _SHOWN:
        values = [row[key] for row in tail if key in row]
        if values:
            metrics[f"final_{key}"] = sum(values) / len(values)
    return metrics | {
        "warnings": len(curve.events),
        "skipped_updates": 0,
        "kept_step": rl.steps,
    }


def _copy(source: Path, target: Path) -> None:
    """Once, and whole or not at all."""
    if target.exists() and target.stat().st_size == source.stat().st_size:
        return
    partial = target.with_name(target.name + ".partial")
    shutil.copyfile(source, partial)
    partial.rename(target)
