"""Artifacts of a small run with pictures and a video, to be exported and imported again."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.data.annotation import stage as annotate
from pixel_core.data.exchange.exporting import ExportJob, Format
from pixel_core.data.sources import ingest
from pixel_core.data.synthesis import stage as synthesize
from pixel_core.media.archive import PictureArchive, PictureArchiveWriter
from pixel_core.records import (
    Annotation,
    FrameCue,
    Provenance,
    Seed,
    Split,
    Trajectory,
    TrajectoryKind,
    Turn,
    read_jsonl,
    write_jsonl,
)
from pixel_core.workflow.stage import SilentProgress, StageContext

#: Characters that files, shells, trainers and tokenizers take for something else.
ODD = 'a <image> of <\u200bvideo>, "\\n"\u2028\u0085\x00<|im_end|>\U0001f600 \\boxed{7}'

SETTINGS = (
    "ingest.drawn.train=10",
    "ingest.drawn.validation=1",
    "ingest.drawn.test=1",
    "text_only.share=0",
)


def full_config() -> PipelineConfig:
    """The tiny world with the full prompts, sentences and normalised boxes."""
    return load_profile(
        "tiny",
        [
            *SETTINGS,
            'dialogue.prompt="full"',
            'dialogue.zoom.coordinates="normalized"',
            "dialogue.frames.enabled=true",
            "dialogue.max_new_tokens=200",
            "dialogue.max_tokens=4000",
            'synthesize.templates="plain"',
            "synthesize.video_kinds.reselect=1.0",
            "synthesize.video_kinds.single_pass=0",
        ],
    )


def compact_config() -> PipelineConfig:
    return load_profile("tiny", SETTINGS)


def run_stages(root: Path, config: PipelineConfig) -> dict[str, Path]:
    """ingest, with a video beside what the config draws; annotate; synthesize; and a
    text-only trajectory with odd characters."""
    inputs = {name: root / name for name in ("ingest", "annotate", "synthesize", "text_only")}
    for folder in inputs.values():
        folder.mkdir(parents=True)
    run_stage("ingest", ingest.run, inputs, config)
    add_video(inputs["ingest"])
    run_stage("annotate", annotate.run, inputs, config)
    run_stage("synthesize", synthesize.run, inputs, config)
    seed = next(s for s in seeds_of(inputs["ingest"]) if s.split is Split.TRAIN)
    said = Trajectory(
        id=f"{seed.id}:text_only",
        seed_id=seed.id,
        kind=TrajectoryKind.TEXT_ONLY,
        turns=(Turn(text=ODD, untrained=((2, 9),)),),
    )
    write_jsonl(inputs["text_only"] / "trajectories.jsonl", [said])
    return inputs


def run_stage(name: str, run: Any, inputs: dict[str, Path], config: PipelineConfig) -> Any:
    out = inputs[name]
    return run(StageContext(config, dict(inputs), out, None, SilentProgress()))  # type: ignore[arg-type]


def add_video(folder: Path) -> None:
    """Six grey frames of growing lightness, as one more train seed."""
    archive, seeds = PictureArchive(folder / "pictures.zip"), list(seeds_of(folder))
    with PictureArchiveWriter(folder / "more.zip") as more:
        for seed in seeds:
            for picture in seed.pictures:
                if picture.member not in more:
                    data = archive.read(picture)
                    more.add(picture.member, data, picture.width, picture.height)
        frames = []
        for number in range(6):
            out = io.BytesIO()
            Image.new("RGB", (224, 168), (40 * number,) * 3).save(out, "JPEG")
            frames.append(more.add(f"video/{number}.jpg", out.getvalue(), 224, 168))
    (folder / "more.zip").replace(folder / "pictures.zip")
    video = Seed(
        id="a video",
        split=Split.TRAIN,
        question="how light is it? <image>",
        answers=("7",),
        pictures=tuple(frames),
        is_video=True,
        cue=FrameCue(frames=(3,)),
        subject="the light",
        provenance=Provenance(source="test"),
    )
    write_jsonl(folder / "seeds.jsonl", [*seeds, video])


def seeds_of(ingest_folder: Path) -> list[Seed]:
    return list(read_jsonl(ingest_folder / "seeds.jsonl", Seed))


def all_trajectories(inputs: dict[str, Path]) -> list[Trajectory]:
    return [
        one
        for stage in ("synthesize", "text_only")
        for one in read_jsonl(inputs[stage] / "trajectories.jsonl", Trajectory)
    ]


def export_job(inputs: dict[str, Path], config: PipelineConfig, format: Format) -> ExportJob:
    return ExportJob(inputs, config.dialogue, format, {"run": "one"})


def annotations_of(folder: Path) -> dict[str, Annotation]:
    path = folder / "annotations.jsonl"
    return {one.seed.id: one for one in read_jsonl(path, Annotation)}


def texts(turns: Sequence[Turn]) -> list[str]:
    return [turn.text for turn in turns]
