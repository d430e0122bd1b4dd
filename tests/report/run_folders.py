"""A small but whole run on disk, made of real records and really drawn pictures."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

from pixel_core.config import KindShares, PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.data.sources.drawn import seeds as draw_seeds
from pixel_core.evaluation.held_out import run as evaluate
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.records import (
    Annotation,
    Box,
    Query,
    Rollout,
    Seed,
    Split,
    Step,
    StopReason,
    Trajectory,
    TrajectoryKind,
    Turn,
    write_jsonl,
)
from pixel_core.rollout.tool_calls import ZoomCall, format_call
from pixel_core.tiny.tokenizer import build_tokenizer
from pixel_core.workflow.stage import SilentProgress, StageContext

HOSTILE = (
    "<script>document.title = 'owned'</script></textarea></svg></p>"
    "<img src=x onerror=\"document.title='owned'\"><b id=bold>{{ 7 * 7 }}</b>"
)
MODELS = ("base", "warm_start", "policy")
#: Chance of a right answer where the glyph is legible, and where it is not.
SKILL = {"base": (0.6, 0.1), "warm_start": (0.7, 0.45), "policy": (0.9, 0.85)}
ZOOMS = {"base": 0.0, "warm_start": 0.35, "policy": 0.9}


class NoWork:
    """No stage here keeps checkpoints."""

    def put(self, name: str, data: bytes) -> None:
        raise AssertionError(name)

    def get(self, name: str) -> bytes | None:
        raise AssertionError(name)

    def delete(self, name: str) -> None:
        raise AssertionError(name)

    def names(self) -> list[str]:
        return []


def small_config(**report: object) -> PipelineConfig:
    return PipelineConfig.model_validate(
        {
            "name": "tiny",
            "dialogue": {
                "picture": {"max_pixels": 112 * 112},
                "crop": {"max_pixels": 84 * 84},
                "zoom": {"padding": 0.02},
            },
            "ingest": {
                "drawn": {"train": 60, "validation": 5, "test": 90, "world": {"grid": 4}}
            },
            "evaluate": {"resamples": 300},
            "report": report,
        }
    )


def context_of(config: PipelineConfig, inputs: dict[str, Path], out: Path) -> StageContext:
    out.mkdir(parents=True, exist_ok=True)
    return StageContext(config, inputs, out, NoWork(), SilentProgress())


def write_run(root: Path, config: PipelineConfig) -> StageContext:
    """All folders the report needs, under ``root``; returns the report's context."""
    names = ("ingest", "annotate", "synthesize", "base_model", "text_only", "sft", "rl")
    folders = {name: root / name for name in (*names, *(f"answers_{m}" for m in MODELS))}
    for folder in folders.values():
        folder.mkdir(parents=True)
    with PictureArchiveWriter(folders["ingest"] / "pictures.zip") as archive:
        seeds = list(draw_seeds(config.ingest.drawn, archive))
    write_jsonl(folders["ingest"] / "seeds.jsonl", seeds)
    write_jsonl(
        folders["annotate"] / "annotations.jsonl",
        (Annotation(seed=s, cue=s.cue, author="source") for s in seeds),
    )
    write_jsonl(folders["synthesize"] / "trajectories.jsonl", trajectories(seeds, config))
    write_jsonl(folders["text_only"] / "trajectories.jsonl", [])
    # The tiny tokenizer knows pixel coordinates; of others it knows the letters.
    build_tokenizer(load_profile("tiny").dialogue).save_pretrained(
        folders["base_model"] / "model"
    )
    write_curves(folders)
    queries = [Query.from_seed(s) for s in seeds if s.split is Split.TEST]
    for model in MODELS:
        write_answers(folders[f"answers_{model}"], model, seeds, queries)
    evaluate(context_of(config, folders, root / "evaluate"))
    return context_of(config, folders | {"evaluate": root / "evaluate"}, root / "report")


def call(box: Box, side: int, config: PipelineConfig) -> str:
    parts = tuple(round(value / side, 2) for value in box.as_tuple())
    return format_call(ZoomCall(box=parts, target=1), config.dialogue.zoom)  # type: ignore[arg-type]


def trajectories(seeds: Sequence[Seed], config: PipelineConfig) -> list[Trajectory]:
    """Kinds in turn over the training seeds that have a cue."""
    made = []
    kinds = [TrajectoryKind(name) for name in KindShares.model_fields]
    for n, seed in enumerate(s for s in seeds if s.split is Split.TRAIN and s.cue):
        assert seed.cue is not None
        kind, side, cue = kinds[n % len(kinds)], seed.pictures[0].width, seed.cue.box
        wrong = Box(x1=0, y1=0, x2=90, y2=90)
        if wrong.intersects(cue):
            wrong = Box(x1=side - 90, y1=side - 90, x2=side, y2=side)
        large = Box(
            x1=max(0, cue.x1 - 90),
            y1=max(0, cue.y1 - 90),
            x2=min(side, cue.x2 + 90),
            y2=min(side, cue.y2 + 90),
        )
        boxes = {
            TrajectoryKind.DIRECT: [],
            TrajectoryKind.SINGLE_PASS: [cue],
            TrajectoryKind.RECROP_ONCE: [wrong, cue],
            TrajectoryKind.RECROP_TWICE: [wrong, wrong, cue],
            TrajectoryKind.FURTHER_ZOOM: [large, cue],
        }[kind]
        words = f"Let me look at {seed.subject}. "
        turns = []
        for box in boxes:
            text = words + call(box, side, config)
            mistake = () if box is cue else ((len(words), len(text)),)
            turns.append(Turn(text=text, untrained=mistake))
        turns.append(Turn(text=f"It shows {seed.answers[0]}. \\boxed{{{seed.answers[0]}}}"))
        made.append(Trajectory(id=f"t{n}", seed_id=seed.id, kind=kind, turns=tuple(turns)))
    return made


def write_curves(folders: dict[str, Path]) -> None:
    rng = random.Random(0)
    pretraining = [
        {
            "step": n % 60,
            "phase": f"phase {1 + n // 60}",
            "loss": 3 * math.exp(-n / 30) + 0.1 * rng.random(),
            "colour": min(1.0, n / 40),
            "digit": min(1.0, n / 100),
            "learning_rate": 2e-3,
        }
        for n in range(120)
    ]
    sft = [{"step": n, "loss": 2 * math.exp(-n / 20) + 0.2, "tokens": 900} for n in range(80)]
    rl = []
    for n in range(150):
        row = {
            "step": n,
            "loss": rng.gauss(0, 0.02),
            "accuracy": 0.5 + 0.35 * n / 150 + rng.gauss(0, 0.05),
            "rapr": 0.3 + 0.6 * n / 150 + rng.gauss(0, 0.04),
            "op_error_rate": max(0.0, 0.2 - n / 500),
            "reward_correct": 0.5,
            "reward_curiosity": max(0.0, 0.03 - n / 3000),
            "reward_penalty": -0.01 * rng.random(),
            "grad_norm": 1 + rng.random(),
            "truncated": 0.02,
            "uniform_groups": 0.2 + 0.3 * n / 150,
            "kl_sampler": 1e-6,
        }
        if n % 25 == 0:
            row |= {"validation_accuracy": 0.5 + n / 500, "validation_rapr": 0.3 + n / 300}
        rl.append(row)
    for stage, rows in (("base_model", pretraining), ("sft", sft), ("rl", rl)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folders[stage] / "curve.jsonl").write_text(text)
    warning = {"step": 40, "guard": "loss_spike", "action": "warn", "value": 12.0}
    warning |= {"threshold": 10.0, "text": f"|loss| 0.6; try {HOSTILE}"}
    (folders["rl"] / "health.jsonl").write_text(json.dumps(warning) + "\n")


def write_answers(
    folder: Path, model: str, seeds: Sequence[Seed], queries: Sequence[Query]
) -> None:
    by_id = {seed.id: seed for seed in seeds}
    rng = random.Random(model)
    write_jsonl(folder / "queries.jsonl", queries)
    for decoding, samples in (("greedy", 1), ("sampled", 2)):
        write_jsonl(
            folder / f"{decoding}.jsonl",
            (
                rollout(model, by_id[query.id], sample, rng)
                for query in queries
                for sample in range(samples)
            ),
        )
    (folder / "settings.json").write_text(json.dumps({"samples": 2, "temperature": 1.0}))


def rollout(model: str, seed: Seed, sample: int, rng: random.Random) -> Rollout:
    correct = rng.random() < SKILL[model][0 if seed.legible else 1]
    answer = seed.answers[0] if correct else "maybe"
    steps = []
    if seed.cue is not None and rng.random() < ZOOMS[model]:
        cue, side = seed.cue.box, seed.pictures[0].width
        box = Box(
            x1=max(0, cue.x1 - 9),
            y1=max(0, cue.y1 - 9),
            x2=min(side, cue.x2 + 9),
            y2=min(side, cue.y2 + 9),
        )
        if rng.random() < 0.2:
            steps.append(Step(text="<tool_call>{}</tool_call>", error="not_an_object"))
        steps.append(Step(text="I look closer. <tool_call>…</tool_call>", box=box, picture=0))
    final = HOSTILE if model == "warm_start" else f"So it is {answer}. \\boxed{{{answer}}}"
    failed = sum(1 for step in steps if step.error)
    return Rollout(
        query_id=seed.id,
        sample=sample,
        steps=(*steps, Step(text=final)),
        stop=StopReason.ANSWERED,
        answer=answer,
        correct=correct,
        operations=len(steps) - failed,
        failed_operations=failed,
        tokens=20 + 10 * len(steps),
    )
