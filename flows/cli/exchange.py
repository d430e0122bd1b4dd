"""``pixel export`` and ``pixel import``: trajectories to and from other people's files."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.text import Text

from flows.cli.terminal import Terminal, say
from flows.consoles import plain_console
from pixel_core.config import DialogueConfig, PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.data.exchange.exporting import FORMATS, ExportJob, Format
from pixel_core.data.exchange.importing import ImportJob
from pixel_core.data.exchange.profile import write_profile
from pixel_core.errors import ConfigError, DataError
from pixel_core.nesting import loads
from pixel_core.workflow.store import Artifact, RunRecord, Store

#: Stages that are read; runs from before there was the last have none.
_NEEDED, _OPTIONAL = ("ingest", "annotate", "synthesize"), ("text_only",)


def export_run(store: Store, run_id: str, format: str, folder: Path) -> None:
    """Write a run's trajectories into ``folder``; "" or "latest": the latest run's."""
    chosen = _format(format)
    run = _run(store, run_id)
    artifacts = {name: _artifact(store, run, name) for name in _NEEDED}
    artifacts |= {name: _artifact(store, run, name) for name in _OPTIONAL if name in run.stages}
    job = ExportJob(
        {name: artifact.local() for name, artifact in artifacts.items()},
        _dialogue(run),
        chosen,
        {name: artifact.digest for name, artifact in artifacts.items()},
    )
    counts = _watched("export", lambda progress: job.run(folder, progress), folder)
    print(f"{counts['trajectories']} trajectories in {folder}, format {chosen}")


def import_file(
    source: Path, format: str, folder: Path, media: Path | None, profile: str | None
) -> None:
    """Make a folder that the pipeline takes as input of a file of trajectories."""
    chosen = _format(format)
    label = source.parent / "export.json"
    if profile is not None:
        dialogue = load_profile(profile).dialogue
    elif label.is_file():
        dialogue = _exported_dialogue(label)
    else:
        dialogue = DialogueConfig()
    job = ImportJob(source, chosen, media or source.parent, dialogue)
    counts = _watched("import", lambda progress: job.run(folder, progress), folder)
    place = write_profile(folder, dialogue)
    left_out = sum(counts["rejected"].values())
    print(
        f"{counts['trajectories']} trajectories on {counts['seeds']} questions in {folder}"
        + (f"; {left_out} left out: {json.dumps(counts['rejected'])}" if left_out else "")
    )
    print(
        f'to train on them, give {place} a model (extends = "a profile", or base_model and '
        f"sft), then: pixel run --profile {shlex.quote(str(place))} --until sft"
    )


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise ConfigError(f"there is no format {name!r}; the formats are {', '.join(FORMATS)}")
    return name


def _run(store: Store, run_id: str) -> RunRecord:
    run = store.latest_run() if run_id in ("", "latest") else store.runs.get(run_id)
    if run is None:
        known = ", ".join(store.runs.ids()[-3:])
        raise DataError(
            f"there is no run {run_id or 'latest'!r} in {store.uri}"
            + (f"; the last ones are {known}" if known else "; start one with pixel run")
        )
    return run


def _artifact(store: Store, run: RunRecord, stage: str) -> Artifact:
    known = run.stages.get(stage)
    artifact = store.load(stage, known.key) if known and known.key else None
    if artifact is None:
        raise DataError(
            f"run {run.id} has no finished {stage} in {store.uri}; go on with pixel run"
        )
    return artifact


def _dialogue(run: RunRecord) -> DialogueConfig:
    try:
        return PipelineConfig.model_validate(run.config).dialogue
    except ValidationError as error:
        raise DataError(
            f"the settings of run {run.id} are another version's; run again with the same "
            f"profile ({error.error_count()} settings differ)"
        ) from error


def _exported_dialogue(label: Path) -> DialogueConfig:
    """How the calls of an export of ours are written."""
    try:
        found = loads(label.read_text(encoding="utf-8"))
        return DialogueConfig.model_validate(found["identity"]["dialogue"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{label} does not say how calls are written ({error}); name the profile they "
            "were made with: --profile"
        ) from error


def _watched(name: str, work: Any, folder: Path) -> dict[str, Any]:
    console = plain_console()
    try:
        with Terminal(console).watch(name) as progress:
            return work(progress)
    except KeyboardInterrupt:
        kept = Text(f"what is in {folder} is kept; the same command goes on from there")
        say("stopped", "yellow", str(kept))
        raise
