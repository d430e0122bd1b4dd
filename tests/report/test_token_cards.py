"""Trajectories token by token, and videos: the page shows what tuning and rollouts saw."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixel_core.config import DrawnConfig, PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.data.sources.drawn import seeds as draw_seeds
from pixel_core.data.synthesis.trajectories import TrajectoryWriter
from pixel_core.media.archive import PictureArchive, PictureArchiveWriter
from pixel_core.records import (
    Annotation,
    FrameCue,
    Query,
    Rollout,
    Split,
    Step,
    StopReason,
    Trajectory,
    TrajectoryKind,
)
from pixel_core.report.episode_cards import question_cards
from pixel_core.report.episodes.gallery import Gallery, Role
from pixel_core.report.material import Material
from pixel_core.report.token_cards import TokenRole, token_cards
from pixel_core.report.trajectory_cards import trajectory_cards
from pixel_core.rollout.episode import RenderedPrompt
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.replay import replay
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.tiny.tokenizer import build_tokenizer

MODELS = ("base", "warm_start", "policy")


def config(templates: str) -> PipelineConfig:
    settings = [
        "ingest.drawn.video_share=0.4",
        f"synthesize.templates={templates}",
        "synthesize.kinds.recrop_once=3",
        "synthesize.video_kinds.reselect=1",
        "dialogue.max_new_tokens=400",
        "dialogue.max_tokens=2000",
    ]
    return load_profile("tiny_video", settings)


@pytest.fixture(params=["terse", "plain"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[PipelineConfig, Material]:
    chosen = config(request.param)
    with PictureArchiveWriter(tmp_path / "pictures.zip") as archive:
        drawn = DrawnConfig(train=60, validation=1, test=12, video_share=0.4)
        seeds = list(draw_seeds(drawn, archive))
    annotations = {s.id: Annotation(seed=s, cue=s.cue, author="source") for s in seeds}
    writer = TrajectoryWriter(chosen)
    train = [a for a in annotations.values() if a.seed.split is Split.TRAIN]
    trajectories = [writer.write(annotation).trajectory for annotation in train]
    queries = [Query.from_seed(s) for s in seeds if s.split is Split.TEST]
    return chosen, Material(
        archive=PictureArchive(tmp_path / "pictures.zip"),
        seeds={seed.id: seed for seed in seeds},
        annotations=annotations,
        trajectories=[t for t in trajectories if isinstance(t, Trajectory)],
        curves={},
        health=None,
        queries=queries,
        answers={
            model: {d: {q.id: [rollout(q)] for q in queries} for d in ("greedy", "sampled")}
            for model in MODELS
        },
        scores={},
    )


def rollout(query: Query) -> Rollout:
    looks = (Step(text="look", frames=(3, 4)),) if query.is_video else ()
    return Rollout(
        query_id=query.id,
        sample=0,
        steps=(*looks, Step(text="answer")),
        stop=StopReason.ANSWERED,
        answer="7",
        correct=True,
        operations=len(looks),
        selections=len(looks),
        failed_operations=0,
        tokens=5,
    )


def test_the_pieces_are_the_transcript_and_its_masks(
    made: tuple[PipelineConfig, Material],
) -> None:
    settings, material = made
    vocabulary = Vocabulary.of(build_tokenizer(settings.dialogue))
    gallery = Gallery(material.archive.load)
    cards = token_cards(material, gallery, settings.dialogue, vocabulary)
    whole = trajectory_cards(material, gallery, settings.dialogue)
    assert [card.kind for card in cards] == [card.kind for card in whole]
    by_kind = {card.kind: card for card in cards}
    assert {"recrop once", "reselect, video", "single pass, video"} <= set(by_kind)
    prompts = Renderer(settings.dialogue, vocabulary)
    for trajectory in material.trajectories:
        seed = material.seeds[trajectory.seed_id]
        if trajectory.kind is not TrajectoryKind.RECROP_ONCE:
            continue
        images = [material.archive.load(picture) for picture in seed.pictures]
        transcript = replay(
            trajectory, RenderedPrompt.of(Query.from_seed(seed), images, prompts), prompts
        )
        card = by_kind["recrop once"]
        assert sum(piece.tokens for piece in card.pieces) == len(transcript)
        assert card.trained == sum(weight > 0 for weight in transcript.weights)
        said = "".join(
            p.text for p in card.pieces if p.part in (TokenRole.TRAINED, TokenRole.MASKED)
        )
        assert said.replace("<|im_end|>", "") == "".join(t.text for t in trajectory.turns)
        masked = "".join(p.text for p in card.pieces if p.part is TokenRole.MASKED)
        (start, stop), *_ = trajectory.turns[0].untrained
        assert masked.removesuffix("<|im_end|>") == trajectory.turns[0].text[start:stop]
        assert (
            sum(p.part is TokenRole.PICTURE for p in card.pieces) == 3
        )  # the whole, two crops
        break
    else:
        raise AssertionError("no trajectory with a wrong box was written")


def test_a_videos_frames_are_marked(made: tuple[PipelineConfig, Material]) -> None:
    settings, material = made
    gallery = Gallery(material.archive.load)
    (card,) = [
        card
        for card in trajectory_cards(material, gallery, settings.dialogue)
        if card.kind == "reselect, video"
    ]
    assert card.strip is not None
    assert card.shots == []
    trajectory = next(t for t in material.trajectories if t.kind is TrajectoryKind.RESELECT)
    cue = material.annotations[trajectory.seed_id].cue
    assert isinstance(cue, FrameCue)
    cued = tuple(frame.number - 1 for frame in card.strip.frames if frame.cue)
    assert cued == cue.frames
    looked = {
        role: [f.number - 1 for f in card.strip.frames for _, r in f.looks if r is role]
        for role in (Role.WRONG, Role.LOOK)
    }
    assert looked[Role.LOOK] == list(cue.frames)
    assert not set(looked[Role.WRONG]) & set(cue.frames)
    assert [len(turn.views) for turn in card.turns[1:]] == [len(cue.frames), 0]


def test_an_episode_shows_the_frames_it_selected(
    made: tuple[PipelineConfig, Material],
) -> None:
    _, material = made
    cards = question_cards(material, Gallery(material.archive.load), examples=12)
    video = next(c for c in cards if c.episodes[0].strip is not None)
    for episode in video.episodes:
        assert episode.shots == []
        assert episode.strip is not None
        marked = [frame.number for frame in episode.strip.frames if frame.looks]
        assert marked == [4, 5]
        assert [len(step.views) for step in episode.steps] == [2, 0]
