"""The workers of SFT on Ray Train, as two plain processes: the same losses as the team's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ray_worker_task import work
from small_run import HABITS, Heard, SmallRun

from pixel_core.config import OptimizerConfig, RayTrainConfig, SelectConfig, SftConfig
from pixel_core.errors import ConfigError
from pixel_core.models.batch import collate
from pixel_core.models.loading import load_model
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.transcript import Transcript
from pixel_core.training import loop as team_checkpoint
from pixel_core.training.ray_train import checkpoint
from pixel_core.training.ray_train.forward import Scorer, inputs_of
from pixel_core.training.ray_train.loading import load_for_training, write_trained
from pixel_core.training.ray_train.passes import passes_of
from pixel_core.training.ray_train.stage import check
from pixel_core.training.ray_train.worker import WorkerJob
from pixel_core.training.sft import SftDataset, learn
from pixel_core.workflow.parallel.team import run_team
from pixel_core.workflow.stage import Workspace
from pixel_core.workflow.store import Store

pytestmark = pytest.mark.ci

SECTION = HABITS.model_copy(update={"steps": 6, "checkpoint_every": 2})


def train(
    small: SmallRun,
    work_folder: Workspace,
    ray_train: RayTrainConfig,
    section: SftConfig = SECTION,
    stop_after: int = 0,
) -> checkpoint.Head:
    """In two processes, up to ``stop_after`` steps; the checkpoint that is left."""
    config = section.model_copy(update={"ray_train": ray_train})
    job = WorkerJob(config, small.config.dialogue, dict(small.inputs), work_folder)
    run_team(work, (job, stop_after), shards=2, workers=2, progress=Heard())
    head = checkpoint.latest(work_folder)
    assert head is not None
    return head


def workspace(folder: Path) -> Workspace:
    return Store.open(str(folder)).workspace("sft", "0" * 64)


def tensors(work_folder: Workspace, head: checkpoint.Head) -> dict[str, torch.Tensor]:
    parts = checkpoint.read(work_folder, head, "weights")
    return {name: kept["weight"] for part in parts for name, kept in part.items()}


@pytest.fixture(scope="module")
def expected(small: SmallRun) -> dict[str, Any]:
    """What the team's stage made of the same start: its curve and weights, unrounded."""
    small.sft("expected", SECTION)
    team_work = Store.open(str(small.root / "store")).workspace("expected", "0" * 64)
    found = team_checkpoint.load_latest(team_work, "sft")
    assert found is not None
    return found[1]


def assert_same_losses(head: checkpoint.Head, expected: dict[str, Any]) -> None:
    assert [row["step"] for row in head.curve] == [row["step"] for row in expected["curve"]]
    for ours, theirs in zip(head.curve, expected["curve"], strict=True):
        assert set(ours) == set(theirs)
        for name in ("loss", "token_accuracy", "tokens"):
            assert ours[name] == pytest.approx(theirs[name], abs=1e-5), name


@pytest.fixture(scope="module")
def dataset(small: SmallRun) -> list[Transcript]:
    _, vocabulary = load_model(small.inputs["base_model"])
    taught = SftDataset(dict(small.inputs), Renderer(small.config.dialogue, vocabulary))
    return [taught.transcript(number) for number in range(6)]


def without_pictures(transcript: Transcript, image: int) -> Transcript:
    kept = [at for at, token in enumerate(transcript.tokens) if token != image]
    return Transcript(
        [transcript.tokens[at] for at in kept],
        [transcript.weights[at] for at in kept],
        [0.0] * len(kept),
    )


@pytest.mark.parametrize("pictures", [True, False])
def test_transformers_own_forward_gives_our_loss_and_gradient(
    small: SmallRun, dataset: list[Transcript], pictures: bool
) -> None:
    model, vocabulary = load_model(small.inputs["base_model"])
    # A picture that two transcripts show, and two sizes in an order that is not theirs.
    shown = [dataset[1], dataset[0], dataset[1].fork(), dataset[3]]
    if not pictures:
        shown = [without_pictures(one, vocabulary.image) for one in shown]
    ours = learn(model, shown, vocabulary)
    wanted = {
        name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None
    }
    model.zero_grad()
    batch = collate(shown, vocabulary.pad, vocabulary.image)
    loss, hits = Scorer(model, vocabulary.banned)(**inputs_of(batch))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(ours["loss"], abs=1e-4)
    assert float(hits) == ours["token_accuracy"]
    got = {name: p.grad for name, p in model.named_parameters()}
    # Every parameter takes part, whatever the batch shows: workers wait for one another.
    assert all(gradient is not None for gradient in got.values())
    for name, gradient in got.items():
        theirs = wanted.get(name, torch.zeros_like(gradient))
        torch.testing.assert_close(gradient, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "ray_train",
    [
        RayTrainConfig(tokens_per_pass=200),
        RayTrainConfig(sharding="fsdp", tokens_per_pass=200, gradient_checkpointing=True),
    ],
    ids=["ddp", "fsdp"],
)
def test_two_workers_lose_what_the_team_loses(
    small: SmallRun, tmp_path: Path, expected: dict[str, Any], ray_train: RayTrainConfig
) -> None:
    kept = workspace(tmp_path)
    head = train(small, kept, ray_train)
    assert_same_losses(head, expected)
    for name, weight in tensors(kept, head).items():
        # Where a gradient is all but 0, AdamW makes a step of its rounding: a norm, no maximum.
        apart = torch.linalg.vector_norm(weight - expected["model"][name])
        assert apart < 1e-3 * torch.linalg.vector_norm(weight), name


@pytest.mark.slow
def test_a_stopped_run_goes_on_from_what_is_whole_under_another_sharding(
    small: SmallRun, tmp_path: Path, expected: dict[str, Any]
) -> None:
    kept = workspace(tmp_path)
    assert train(small, kept, RayTrainConfig(), stop_after=5).step == 5
    [damaged] = tmp_path.glob("work/**/ray-sft-000005/optimizer-00000")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    before = checkpoint.latest(kept)
    assert before is not None
    assert before.step == 4
    assert_same_losses(train(small, kept, RayTrainConfig(sharding="fsdp")), expected)
    steps = {file.parent.name for file in tmp_path.glob("work/**/head")}
    assert len(steps) == 2  # the newest, and one in case it is damaged


def test_a_frozen_tower_stays_and_the_rest_learns(small: SmallRun, tmp_path: Path) -> None:
    kept = workspace(tmp_path)
    section = SECTION.model_copy(update={"freeze_vision": True, "steps": 2, "batch": 1})
    head = train(small, kept, RayTrainConfig(sharding="fsdp", dtype="bfloat16"), section)
    write_trained(small.inputs["base_model"], RayTrainConfig(), kept, head, tmp_path)
    before = load_model(small.inputs["base_model"])[0].state_dict()
    after = load_model(tmp_path)[0].state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not [name for name in changed if "visual" in name]
    assert any("layers.0" in name for name in changed)


def test_layers_run_again_in_the_backward_pass_instead_of_being_kept(
    small: SmallRun, dataset: list[Transcript]
) -> None:
    config = RayTrainConfig(gradient_checkpointing=True)
    model, vocabulary = load_for_training(small.inputs["base_model"], config)
    calls: list[str] = []
    layer, block = model.model.language_model.layers[0], model.model.visual.blocks[0]
    layer.mlp.register_forward_pre_hook(lambda *_: calls.append("layer"))
    block.mlp.register_forward_pre_hook(lambda *_: calls.append("block"))
    batch = collate(dataset[:2], vocabulary.pad, vocabulary.image)
    loss, _ = Scorer(model, vocabulary.banned)(**inputs_of(batch))
    assert sorted(calls) == ["block", "layer"]
    loss.backward()
    assert sorted(calls) == ["block", "block", "layer", "layer"]


def test_passes_keep_their_limit_and_drop_nothing() -> None:
    lengths = [5, 90, 30, 31, 7, 400, 30, 1, 99]
    shares = [Transcript(tokens=[0] * length) for length in lengths]
    passes = passes_of(shares, 100)
    assert sorted(len(one) for group in passes for one in group) == sorted(lengths)
    assert [[len(one) for one in group] for group in passes if len(group[0]) > 100] == [[400]]
    for group in passes[:-1]:
        assert len(group) * max(map(len, group)) <= 100
    assert max(map(len, passes)) > 1


def test_what_the_backend_cannot_do_is_said_before_training(small: SmallRun) -> None:
    def refused(**update: Any) -> str:
        section = SECTION.model_copy(update={"backend": "ray_train", **update})
        with pytest.raises(ConfigError) as caught:
            check(small.config.model_copy(update={"sft": section}))
        return str(caught.value)

    assert "sft.select.rapr 0.3" in refused(select=SelectConfig(rapr=0.3))
    fsdp = RayTrainConfig(sharding="fsdp")
    assert "'muon'" in refused(optimizer=OptimizerConfig(kind="muon"), ray_train=fsdp)
    assert "sft.ray_train.workers 7 is above" in refused(ray_train=RayTrainConfig(workers=7))
    assert "DeepSpeed" in refused(ray_train=RayTrainConfig(sharding="zero2"))
    check(small.config)  # another backend: nothing of this applies
    with pytest.raises(ValueError, match="'flash_attention_2' needs dtype 'bfloat16'"):
        RayTrainConfig(attention="flash_attention_2", gpus_per_worker=1)
