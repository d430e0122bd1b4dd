"""The stage ``rl``: GRPO with the curiosity reward (paper, section 4.2).

Rollouts and their gradients are computed by the same worker on its shard of the queries, so
the sampled tokens never leave it. One optimizer step a batch: a fresh rollout's ratio to the
sampling policy is 1 up to rounding, and ``kl_sampler`` watches that it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pixel_core.config import DialogueConfig, RlConfig, SamplingConfig
from pixel_core.models.loading import load_model, save_model
from pixel_core.records import Annotation, Seed, Split, read_jsonl
from pixel_core.rollout.queries import queries_of
from pixel_core.training.curve import write_curve
from pixel_core.training.guards import Guards, write_health
from pixel_core.training.loop import Row, Stateful, train
from pixel_core.training.operation_use import known_places, pays
from pixel_core.training.replay import Replay
from pixel_core.training.rollouts import DualVariables, RlShard
from pixel_core.training.trainee import ModelInTraining
from pixel_core.training.validation import BestWeights, Validation, validation_queries
from pixel_core.workflow.parallel.team import WorkerGroup
from pixel_core.workflow.stage import Workspace

#: The curve's last rows are averaged over this many steps for the stage's metrics.
_TAIL = 10


def reinforce(
    team: WorkerGroup,
    config: RlConfig,
    dialogue: DialogueConfig,
    inputs: dict[str, Path],
    work: Workspace,
    out: Path,
) -> dict[str, Any]:
    """Train, and hand on the weights that ``keep`` says.

    A run that a guard stopped hands on its best weights by validation score whatever
    ``keep`` says, or, where nothing was validated, those before the refused update.
    """
    trainee = ModelInTraining.load(inputs["sft"], dialogue, freeze=config.freeze_vision)
    annotations = list(read_jsonl(inputs["annotate"] / "annotations.jsonl", Annotation))
    seeds = [annotation.seed for annotation in annotations]
    queries = queries_of(seeds, Split.TRAIN, "the annotate stage")
    guards = Guards(config.guards, team.progress)
    best = BestWeights(team, trainee.model)
    prices = DualVariables(config) if config.reward.preset == "lagrangian" else None
    replay = Replay(team, config.replay) if config.replay.capacity else None
    validation = _validation(team, trainee, config, inputs["ingest"], seeds)

    def after_step(step: int, row: Row) -> Row:
        more = pays(row)
        if prices is not None:
            more |= prices.after(row)
        due = config.validate_every and (step + 1) % config.validate_every == 0
        if validation is not None and due and not guards.ended():
            more |= validation.score(step)
            best.offer(step + 1, more["validation_accuracy"])
        return more

    carried: dict[str, Stateful] = {"guards": guards, "best": best}
    if prices is not None:
        carried["prices"] = prices
    if replay is not None:
        carried["replay"] = replay
    curve = train(
        team,
        trainee.model,
        phase="rl",
        steps=config.steps,
        optimizer_config=config.optimizer,
        shard=RlShard(
            team,
            trainee,
            config,
            inputs["ingest"],
            queries,
            prices=prices,
            replay=replay,
            reference=_warm_start(inputs["sft"]) if config.kl else None,
            places=known_places(annotations),
        ),
        work=work,
        checkpoint_every=config.checkpoint_every,
        watched=("loss", "accuracy", "rapr", "op_error_rate", "validation_accuracy"),
        admit=guards.admit,
        after_step=after_step,
        ended=guards.ended,
        carried=carried,
    )
    from_best = best.step > 0 and (config.keep == "best" or guards.ended())
    if team.leads:
        if from_best:
            best.restore()
        save_model(trainee.model, trainee.vocabulary.tokenizer, out)
        write_curve(out, curve)
        write_health(out, guards.events)
    return _metrics(curve, len(queries), guards, best if from_best else None)


def _warm_start(artifact: Path) -> Any:
    """The model RL starts from, frozen."""
    model, _ = load_model(artifact)
    return model.requires_grad_(False)


def _validation(
    team: WorkerGroup,
    trainee: ModelInTraining,
    config: RlConfig,
    ingest: Path,
    seeds: list[Seed],
) -> Validation | None:
    if not config.validate_every:
        return None
    queries = validation_queries(seeds, config.validation_questions)
    greedy = SamplingConfig(temperature=0.0)
    return Validation(team, trainee, ingest, queries, greedy, f"rl/{config.seed}/validation")


def _metrics(
    curve: list[Row], queries: int, guards: Guards, best: BestWeights | None
) -> dict[str, Any]:
    """``kept_step`` is the step after which the weights were as they are handed on."""
    steps = len(curve)
    metrics: dict[str, Any] = {"steps": steps, "queries": queries}
    tail = curve[-_TAIL:]
    for key in ("accuracy", "rapr", "uniform_groups", "truncated"):
        metrics[f"final_{key}"] = sum(row[key] for row in tail) / len(tail)
    metrics["warnings"] = len(guards.events)
    metrics["skipped_updates"] = guards.skipped
    if guards.ended():
        metrics["stopped_by"] = guards.stopped_by
        metrics["stopped_at"] = guards.stopped_at
    metrics["kept_step"] = steps - 1 if guards.ended() else steps
    if best is not None:
        metrics["kept_step"] = best.step
        metrics["kept_validation_accuracy"] = best.score
    return metrics
