"""Text-only trajectories: the base model's own right answers, however they were sampled."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from small_run import Cut, Heard, SmallRun
from tiny_world import call, dialogue, opening, tiny

from pixel_core.config import PipelineConfig, SamplingConfig, TextOnlyConfig
from pixel_core.errors import DataError
from pixel_core.records import (
    Annotation,
    Query,
    Split,
    Trajectory,
    TrajectoryKind,
    read_jsonl,
    write_jsonl,
)
from pixel_core.rewards.grading import extract_boxed, grade
from pixel_core.rollout.engine import Completion
from pixel_core.rollout.episode import run_episodes
from pixel_core.rollout.replay import replay
from pixel_core.rollout.tool_calls import parse_turn
from pixel_core.training import text_only
from pixel_core.training.batching import DrawnOrder
from pixel_core.training.sft import SftDataset
from pixel_core.training.text_only_chunk import RejectionReason, accept
from pixel_core.training.trainee import ModelInTraining
from pixel_core.workflow.parallel.team import WorkerGroup
from pixel_core.workflow.stage import StageContext
from pixel_core.workflow.store import Store

#: Of the small run's 24 train questions its model answers some at once and rightly.
SHARE = TextOnlyConfig(share=0.05, chunk=4, samples=2)
MORE = TextOnlyConfig(share=0.6, chunk=4, samples=2)


class Counted:
    """A workspace that remembers what was put."""

    def __init__(self, work: Any) -> None:
        self._work = work
        self.put_names: list[str] = []

    def put(self, name: str, data: bytes) -> None:
        self.put_names.append(name)
        self._work.put(name, data)

    def get(self, name: str) -> bytes | None:
        return self._work.get(name)

    def names(self) -> list[str]:
        return self._work.names()

    def delete(self, name: str) -> None:
        self._work.delete(name)


def context(
    small: SmallRun, folder: Path, section: TextOnlyConfig, workers: int = 1, **inputs: Path
) -> StageContext:
    """The stage on the small run, with its tuned model in the place of the base model."""
    runtime = small.config.runtime.model_copy(update={"workers": workers})
    config = small.config.model_copy(update={"text_only": section, "runtime": runtime})
    folder.mkdir(parents=True, exist_ok=True)
    work = Counted(Store.open(str(folder / "store")).workspace("text_only", "0" * 64))
    given = {**small.inputs, "base_model": small.inputs["sft"], **inputs}
    out = folder / "out"
    out.mkdir(exist_ok=True)
    return StageContext(config, given, out, work, Heard())


def replaced(made: StageContext, **inputs: Path) -> StageContext:
    return dataclasses.replace(made, inputs={**made.inputs, **inputs})


class CutAfter(Heard):
    """Cuts the run when it has told its progress so often, as if killed."""

    def __init__(self, updates: int) -> None:
        super().__init__()
        self._left = updates

    def update(self, done: int, total: int, **metrics: float) -> None:
        self._left -= 1
        if not self._left:
            raise Cut


def sampled_here(made: StageContext, progress: Heard, wanted: int) -> None:
    """The sampling of the stage in this process, by one worker."""
    config = made.config
    text_only.sample(
        WorkerGroup(0, 1, (0,), 1, progress),
        config.text_only,
        config.dialogue,
        made.located("ingest"),
        made.located("base_model"),
        made.work,
        DrawnOrder.of(made.inputs["annotate"] / "annotations.jsonl", "text_only/0"),
        wanted,
    )


def made_by(made: StageContext) -> list[Trajectory]:
    return list(read_jsonl(made.out / "trajectories.jsonl", Trajectory))


@pytest.fixture(scope="module")
def full(small: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """More is wanted than the model can give: every question is asked."""
    many = context(small, tmp_path_factory.mktemp("full"), MORE)
    metrics = text_only.run(many)
    return {"context": many, "metrics": metrics, "made": made_by(many)}


def test_what_is_kept_is_right_and_made_without_an_operation(
    small: SmallRun, full: dict[str, Any]
) -> None:
    annotations = read_jsonl(small.inputs["annotate"] / "annotations.jsonl", Annotation)
    seeds = {annotation.seed.id: annotation.seed for annotation in annotations}
    made = full["made"]
    assert 3 < len(made) < 24
    assert len({trajectory.seed_id for trajectory in made}) == len(made)
    for trajectory in made:
        seed = seeds[trajectory.seed_id]
        assert seed.split is Split.TRAIN
        assert trajectory.kind is TrajectoryKind.TEXT_ONLY
        (turn,) = trajectory.turns
        assert parse_turn(turn.text, small.config.dialogue.zoom) is None
        assert grade(extract_boxed(turn.text) or "", Query.from_seed(seed))


def test_every_answer_is_counted_once(full: dict[str, Any]) -> None:
    metrics, made = full["metrics"], full["made"]
    assert metrics["wanted"] == 72  # of 48 synthesised ones: 0.6 of 120
    assert metrics["asked"] == 24
    assert metrics["trajectories"] == metrics["accepted"] == len(made)
    assert metrics["acceptance_low"] < metrics["acceptance"] < metrics["acceptance_high"]
    assert sum(metrics["faults"].values()) + len(made) == metrics["answers"]
    assert set(metrics["faults"]) >= {"used_operation", "wrong"}
    # A right answer counts as right with or without an operation.
    assert len(made) <= metrics["right_answers"] <= metrics["answers"]
    (note,) = full["context"].progress.notes
    assert f"{len(made)} text-only trajectories of 72 wanted" in note
    assert json.loads(json.dumps(metrics)) == metrics


def test_two_workers_make_the_same_and_fewer_are_its_beginning(
    small: SmallRun, full: dict[str, Any], tmp_path: Path
) -> None:
    both = []
    for workers in (1, 2):
        made = context(small, tmp_path / str(workers), SHARE, workers)
        both.append((text_only.run(made), (made.out / "trajectories.jsonl").read_bytes()))
    assert both[0] == both[1]
    metrics, data = both[0]
    assert metrics["trajectories"] == metrics["wanted"] == 3  # a twentieth of 51
    assert metrics["asked"] < 24
    whole = (full["context"].out / "trajectories.jsonl").read_bytes()
    assert whole.startswith(data)


def test_a_cut_run_asks_no_question_again(
    small: SmallRun, full: dict[str, Any], tmp_path: Path
) -> None:
    made = context(small, tmp_path, MORE)
    with pytest.raises(Cut):
        sampled_here(made, CutAfter(2), 72)
    before = {name: made.work.get(name) for name in made.work.names()}
    assert list(before) == ["asked-000000", "asked-000001"]
    asked_before = list(made.work.put_names)
    sampled_here(made, Heard(), 72)
    assert made.work.put_names == asked_before + [f"asked-{n:06}" for n in range(2, 6)]
    # All questions have been asked: the stage needs the model no more.
    assert text_only.run(replaced(made, base_model=tmp_path / "nowhere")) == full["metrics"]
    assert made_by(made) == full["made"]


def test_a_share_of_nothing_needs_no_model(small: SmallRun, tmp_path: Path) -> None:
    made = context(small, tmp_path, TextOnlyConfig(), base_model=tmp_path / "nowhere")
    assert text_only.run(made) == {"trajectories": 0, "wanted": 0}
    assert (made.out / "trajectories.jsonl").read_bytes() == b""


def test_tuning_mixes_them_in_and_is_as_before_without(
    small: SmallRun, full: dict[str, Any]
) -> None:
    trainee = ModelInTraining.load(small.inputs["sft"], small.config.dialogue, freeze=False)
    without = SftDataset(small.inputs, trainee.prompts)
    mixed = SftDataset({**small.inputs, "text_only": full["context"].out}, trainee.prompts)
    assert len(mixed) == len(without) + len(full["made"])
    assert [without.transcript(n).tokens for n in range(3)] == [
        mixed.transcript(n).tokens for n in range(3)
    ]
    said = trainee.vocabulary.encode_plain(full["made"][0].turns[0].text)
    transcript = mixed.transcript(len(without))
    assert transcript.tokens[-len(said) - 1 : -1] == said
    assert transcript.weights[-len(said) - 1 :] == [1.0] * (len(said) + 1)


def judged(
    tokens: list[int], finished: bool = True, **settings: Any
) -> Trajectory | RejectionReason:
    """What becomes of an episode whose first turn has these tokens; further ones answer."""
    world = tiny(config=dialogue(**settings))
    answer = [*world.vocabulary.encode_plain("\\boxed{7}"), world.vocabulary.turn_end]

    class Says:
        def __init__(self) -> None:
            self.turns = [Completion(tokens, [-1.0] * len(tokens), finished)]

        def generate(self, transcripts: Any, sampling: Any, limit: int) -> list[Completion]:
            done = Completion(answer, [-1.0] * len(answer), True)
            return [self.turns.pop() if self.turns else done]

        def forget(self) -> None:
            pass

    start = opening(world.prompts, 1)
    query = start.query.model_copy(update={"answers": ("7",), "choices": ()})
    start = dataclasses.replace(start, query=query)
    (episode,) = run_episodes(Says(), world.prompts, [start], 1, SamplingConfig())
    verdict = accept(episode, start, world.prompts)
    if isinstance(verdict, Trajectory):
        assert replay(verdict, start, world.prompts).tokens == episode.transcript.tokens
    return verdict


def test_each_fault_has_its_name() -> None:
    world = tiny(config=dialogue())
    encode, end = world.vocabulary.encode_plain, world.vocabulary.turn_end
    right = encode("the crop shows \\boxed{7}")
    kept = judged([*right, end])
    assert isinstance(kept, Trajectory)
    assert [turn.text for turn in kept.turns] == ["the crop shows \\boxed{7}"]
    assert judged([*encode("\\boxed{8}"), end]) is RejectionReason.WRONG
    assert judged([*encode("seven"), end]) is RejectionReason.UNFINISHED
    assert judged(right, finished=False) is RejectionReason.UNFINISHED
    executed = encode(call(world.prompts, (4, 4, 40, 40)))
    refused = encode('<tool_call>{"name": "zoom_in"}</tool_call>')
    for operation in (executed, refused):
        assert judged([*operation, end]) is RejectionReason.USED_OPERATION


def test_an_answer_spelt_with_other_tokens_is_not_kept() -> None:
    """A model may write a word in pieces; training would see it whole."""
    world = tiny(config=dialogue())
    vocabulary = world.vocabulary
    whole = vocabulary.encode_plain("the crop shows \\boxed{7}")
    pieces = [token for letter in "the" for token in vocabulary.encode_plain(letter)]
    respelt = [*pieces, *whole[1:], vocabulary.turn_end]
    assert vocabulary.decode(respelt[:-1]) == vocabulary.decode(whole)
    assert judged(respelt) is RejectionReason.RESPELT


def test_the_order_follows_from_each_id(small: SmallRun, tmp_path: Path) -> None:
    source = small.inputs["annotate"] / "annotations.jsonl"
    annotations = list(read_jsonl(source, Annotation))
    every = [query.id for query in DrawnOrder.of(source, "s").queries(0, 99)]
    assert sorted(every) == sorted(
        a.seed.id for a in annotations if a.seed.split is Split.TRAIN
    )
    assert every != sorted(every)
    fewer = tmp_path / "annotations.jsonl"
    write_jsonl(fewer, annotations[::-2])
    left = [query.id for query in DrawnOrder.of(fewer, "s").queries(0, 99)]
    assert left == [name for name in every if name in set(left)]
    assert [query.id for query in DrawnOrder.of(source, "s").queries(3, 5)] == every[3:5]
    assert [query.id for query in DrawnOrder.of(source, "other").queries(0, 99)] != every
    write_jsonl(fewer, [a for a in annotations if a.seed.split is not Split.TRAIN])
    with pytest.raises(DataError, match="no train question"):
        DrawnOrder.of(fewer, "s")


def test_equal_answers_are_not_asked_for_twice() -> None:
    sampling = {"temperature": 0.0}
    with pytest.raises(ValueError, match="samples 4 at temperature 0"):
        PipelineConfig.model_validate({"text_only": {"share": 0.1, "sampling": sampling}})
    PipelineConfig.model_validate({"text_only": {"samples": 1, "sampling": sampling}})
