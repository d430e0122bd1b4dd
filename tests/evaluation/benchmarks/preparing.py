"""The stage that prepares a benchmark, run by itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.config import BenchmarkName, BenchmarksConfig, PipelineConfig
from pixel_core.evaluation.benchmarks import prepare
from pixel_core.evaluation.benchmarks.facts import BenchmarkFacts, read_facts
from pixel_core.media.archive import PictureArchive
from pixel_core.records import Seed, read_jsonl
from pixel_core.workflow.stage import SilentProgress, StageContext, UnsharedNotes


@dataclass(frozen=True)
class Prepared:
    out: Path
    seeds: list[Seed]
    facts: BenchmarkFacts
    metrics: dict[str, Any]
    notes: list[str]

    def pictures(self) -> PictureArchive:
        return PictureArchive(self.out / "pictures.zip")

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.out.iterdir()}


class _Notes(SilentProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def config_of(name: BenchmarkName, /, **settings: Any) -> PipelineConfig:
    return PipelineConfig(
        benchmarks=BenchmarksConfig.model_validate({"names": (name,), name: settings})
    )


def prepared(
    out: Path,
    name: BenchmarkName,
    inputs: dict[str, Path] | None = None,
    /,
    **settings: Any,
) -> Prepared:
    """Raises what the stage raises."""
    out.mkdir(parents=True)
    progress = _Notes()
    config = config_of(name, **settings)
    context = StageContext(config, inputs or {}, out, UnsharedNotes(), progress)
    metrics = prepare.run(context, name)
    seeds = list(read_jsonl(out / "seeds.jsonl", Seed))
    return Prepared(out, seeds, read_facts(out), metrics, progress.notes)
