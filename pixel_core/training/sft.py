"""The stage ``sft``: the warm start, instruction tuning on synthesised trajectories, mixed
with the base model's own answers where there are any.

User turns, tool returns and designated wrong operations carry no loss (paper, section
4.1); the loss is the mean over all trained tokens of a batch, whichever shard has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pixel_core.config import DialogueConfig, SamplingConfig, SelectConfig, SftConfig
from pixel_core.errors import DataError
from pixel_core.models.batch import collate
from pixel_core.models.loading import save_model
from pixel_core.models.logprobs import logprobs_of, trained_logits
from pixel_core.records import Annotation, Query, Trajectory, read_jsonl
from pixel_core.rollout.queries import QueryReader
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.replay import replay
from pixel_core.rollout.transcript import Transcript
from pixel_core.training.batching import Order, by_length
from pixel_core.training.curve import write_curve
from pixel_core.training.loop import Row, train
from pixel_core.training.selection import Selection
from pixel_core.training.trainee import ModelInTraining
from pixel_core.training.validation import Validation, validation_queries
from pixel_core.workflow.parallel.team import WorkerGroup
from pixel_core.workflow.stage import Workspace


def tune(
    team: WorkerGroup,
    config: SftConfig,
    dialogue: DialogueConfig,
    inputs: dict[str, Path],
    work: Workspace,
    out: Path,
) -> dict[str, Any]:
    trainee = ModelInTraining.load(inputs["base_model"], dialogue, freeze=config.freeze_vision)
    dataset = SftDataset(inputs, trainee.prompts)
    order = Order(len(dataset), config.batch, f"sft/{config.seed}")
    selection = None
    if config.select.rapr:
        selection = _selection(
            team, trainee, config.select, inputs, f"sft/{config.seed}/select"
        )

    def shard(step: int, index: int) -> Row:
        taken = order.at(step)[index :: team.shard_count]
        transcripts = [dataset.transcript(item) for item in taken]
        return learn(trainee.model, transcripts, trainee.vocabulary)

    curve = train(
        team,
        trainee.model,
        phase="sft",
        steps=config.steps,
        optimizer_config=config.optimizer,
        shard=shard,
        work=work,
        checkpoint_every=config.checkpoint_every,
        watched=("loss", "token_accuracy", "validation_rapr"),
        after_step=selection.check if selection else None,
        ended=selection.reached if selection else lambda: False,
        carried={"selection": selection} if selection else {},
    )
    if team.leads:
        save_model(trainee.model, trainee.vocabulary.tokenizer, out)
        write_curve(out, curve)
    steps = len(curve)
    metrics = {
        "steps": steps,
        "trajectories": len(dataset),
        "epochs": steps * config.batch / len(dataset),
        "loss": curve[-1]["loss"],
    }
    if selection is None:
        return metrics
    if not selection.reached():
        team.progress.note(selection.missed(steps))
    return metrics | selection.metrics()


def _selection(
    team: WorkerGroup,
    trainee: ModelInTraining,
    config: SelectConfig,
    inputs: dict[str, Path],
    stream: str,
) -> Selection:
    seeds = [a.seed for a in read_jsonl(inputs["annotate"] / "annotations.jsonl", Annotation)]
    queries = validation_queries(seeds, config.questions)
    sampling = SamplingConfig(temperature=config.temperature)
    validation = Validation(
        team, trainee, inputs["ingest"], queries, sampling, stream, config.samples
    )
    return Selection(config, validation.score, team.progress.note)


class SftDataset:
    """The trajectories with their questions; each is replayed when it is needed."""

    def __init__(self, inputs: dict[str, Path], prompts: Renderer) -> None:
        self._trajectories = [
            trajectory
            for stage in ("synthesize", "text_only")
            for trajectory in read_jsonl(inputs[stage] / "trajectories.jsonl", Trajectory)
        ]
        if not self._trajectories:
            raise DataError("there are no trajectories to train on; see the synthesize stage")
        wanted = {trajectory.seed_id for trajectory in self._trajectories}
        self._queries = {
            annotation.seed.id: Query.from_seed(annotation.seed)
            for annotation in read_jsonl(inputs["annotate"] / "annotations.jsonl", Annotation)
            if annotation.seed.id in wanted
        }
        self._questions = QueryReader(inputs["ingest"], prompts)
        self._prompts = prompts

    def __len__(self) -> int:
        return len(self._trajectories)

    def transcript(self, index: int) -> Transcript:
        trajectory = self._trajectories[index]
        opening = self._questions.open(self._queries[trajectory.seed_id])
        return replay(trajectory, opening, self._prompts)


def learn(model: Any, transcripts: list[Transcript], vocabulary: Any) -> Row:
    """Backward on the summed loss; sums of loss, hits and trained tokens."""
    row: Row = {"denominator": 0.0, "loss": 0.0, "token_accuracy": 0.0}
    for group in by_length(transcripts, len):
        batch = collate(group, vocabulary.pad, vocabulary.image)
        logits, targets, chosen = trained_logits(model, batch, vocabulary.banned)
        weights = batch.weights_bt[:, 1:][chosen]
        losses = -logprobs_of(logits, targets) * weights
        losses.sum().backward()
        row["denominator"] += float(weights.sum())
        row["loss"] += float(losses.detach().sum())
        row["token_accuracy"] += float(((logits.argmax(-1) == targets) * weights).sum())
    return row | {"tokens": row["denominator"], "tokens/n": 1.0 if transcripts else 0.0}
