"""Annotation by the source's own boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pixel_core.config import PipelineConfig
from pixel_core.data.annotation import stage as annotate
from pixel_core.errors import DataError
from pixel_core.records import Annotation, Box, Cue, FrameCue, Seed, read_jsonl, write_jsonl
from pixel_core.workflow.stage import StageContext


@pytest.fixture
def context(context_for, tmp_path: Path) -> StageContext:
    return replace(context_for("http://127.0.0.1:9"), config=PipelineConfig())


def test_cues_are_taken_over_and_counted(context: StageContext) -> None:
    metrics = annotate.run(context)
    found = list(read_jsonl(context.out / "annotations.jsonl", Annotation))
    seeds = list(read_jsonl(context.inputs["ingest"] / "seeds.jsonl", Seed))
    assert [a.seed for a in found] == seeds
    assert [a.cue for a in found] == [seed.cue for seed in seeds]
    assert metrics == {"annotations": 5, "located": 1, "whole_picture": 4, "dropped": 0}


def test_frames_that_the_video_does_not_have_are_a_bug(context: StageContext) -> None:
    path = context.inputs["ingest"] / "seeds.jsonl"
    seeds = list(read_jsonl(path, Seed))
    frames = {"is_video": True, "cue": FrameCue(frames=(0, 1))}
    write_jsonl(path, [*seeds[:-1], seeds[-1].model_copy(update=frames)])
    with pytest.raises(DataError, match=r"seed-4.*frame 1, the video has 1"):
        annotate.run(context)


def test_seeds_without_a_question_need_a_model(context: StageContext) -> None:
    path = context.inputs["ingest"] / "seeds.jsonl"
    seeds = list(read_jsonl(path, Seed))
    bare = {"question": "", "answers": ()}
    write_jsonl(path, [seeds[0].model_copy(update=bare), *seeds[1:]])
    with pytest.raises(
        DataError, match=r"1 of 5 seeds .*seed-0 \(train\).*annotate\.by=openai"
    ):
        annotate.run(context)


@pytest.mark.parametrize(
    ("cue", "fault"),
    [
        (Cue(box=Box(x1=0, y1=0, x2=81, y2=60)), "reaches outside the picture of 80x60"),
        (Cue(box=Box(x1=0, y1=0, x2=8, y2=6), picture=1), "in picture 1"),
    ],
)
def test_a_cue_outside_its_picture_is_a_bug(
    context: StageContext, cue: Cue, fault: str
) -> None:
    path = context.inputs["ingest"] / "seeds.jsonl"
    seeds = list(read_jsonl(path, Seed))
    write_jsonl(path, [*seeds[:-1], seeds[-1].model_copy(update={"cue": cue})])
    with pytest.raises(DataError, match=f"seed-4.*{fault}"):
        annotate.run(context)
