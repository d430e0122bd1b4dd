"""Reuse or run, and why: one decision, asked by ``plan`` and by the run alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pixel_core.config import PipelineConfig
from pixel_core.errors import ConfigError
from pixel_core.workflow.stage import Prediction, Stage
from pixel_core.workflow.store import Artifact, Damaged, Store, Valid
from pixel_core.workflow.store.differences import explain
from pixel_core.workflow.store.identity import identity, key_of
from pixel_core.workflow.store.named_function import named_function
from pixel_core.workflow.store.source import changed_rooms, folders_gone, source_hashes
from pixel_core.workflow.table import STAGES, downstream


@dataclass(frozen=True)
class Decision:
    """What happens to one stage. ``key`` is None while an input is still to be made."""

    stage: str
    action: Literal["reuse", "run"]
    reason: str
    key: str | None
    #: The sound artifact under the key: the one to reuse, or the one a forced run replaces.
    artifact: Artifact | None = None
    #: Not a reason to rebuild, but worth a look.
    warning: str = ""
    #: What the run would cost, of a stage that pays for something.
    cost: Prediction | None = None


def decide(
    stage: Stage,
    config: PipelineConfig,
    inputs: Mapping[str, Artifact],
    store: Store,
    *,
    forced: bool = False,
) -> Decision:
    """Decide for one stage whose inputs are all there.

    Raises ``IdentityError`` for a value that can't join a key, ``StorageError`` when the
    storage can't answer.
    """
    parts = identity(stage, config, {name: inputs[name].digest for name in stage.needs})
    key = key_of(parts)
    verdict = store.find(stage.name, key)
    artifact = verdict.artifact if isinstance(verdict, Valid) else None
    if forced:
        return Decision(stage.name, "run", "forced", key, artifact)
    if artifact is not None:
        return Decision(
            stage.name, "reuse", "unchanged", key, artifact, _warning(stage, config, artifact)
        )
    if isinstance(verdict, Damaged):
        return Decision(stage.name, "run", f"damaged: {verdict.how}", key)
    earlier = store.latest(stage.name)
    changes = explain(earlier.manifest.parts, parts) if earlier else ""
    return Decision(stage.name, "run", changes or "never built", key)


def plan(
    config: PipelineConfig,
    store: Store,
    *,
    force_from: str | None = None,
    until: str | None = None,
    stages: Sequence[Stage] = STAGES,
    given: Mapping[str, Artifact] | None = None,
) -> list[Decision]:
    """Decide for every stage that a run would touch, in order, without running any.

    A stage below one that will run cannot know its key yet; it is listed as run, though it
    is reused after all when its inputs come out with the same bytes. ``given``: artifacts of
    stages that are not among ``stages``, for those that need them.
    """
    forced = forced_stages(force_from, stages)
    decisions: list[Decision] = []
    made: dict[str, Artifact] = dict(given or {})
    for stage in stages_until(until, stages):
        pending = [name for name in stage.needs if name not in made]
        if pending:
            reason = "forced" if stage.name in forced else _rebuilt(pending)
            cost = _predicted(stage, config, None, store)
            decisions.append(Decision(stage.name, "run", reason, None, cost=cost))
            continue
        decision = decide(stage, config, made, store, forced=stage.name in forced)
        if decision.action == "run":
            decision = replace(decision, cost=_predicted(stage, config, made, store))
        decisions.append(decision)
        if decision.action == "reuse" and decision.artifact is not None:
            made[stage.name] = decision.artifact
    return decisions


#: Asked with the configuration, the store and the stages that are to run on the cluster.
_CLUSTER_READY = "pixel_core.workflow.cluster.ready:check"


def check_ready(
    config: PipelineConfig,
    store: Store,
    decisions: Sequence[Decision],
    stages: Sequence[Stage] = STAGES,
    say: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Raise what would stop a stage that is to run, before any of them has begun; ``say``
    hears what takes more than a moment."""
    names = {decision.stage for decision in decisions if decision.action == "run"}
    running = [stage for stage in stages if stage.name in names]
    for stage in running:
        if stage.ready:
            named_function(stage.ready)(config)
    check_away(config, store, running, say)


def check_away(
    config: PipelineConfig,
    store: Store,
    stages: Sequence[Stage],
    say: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Raise what would stop those of the stages that run on the cluster."""
    away = [stage for stage in stages if stage.place(config).on == "ray"]
    if away:
        named_function(_CLUSTER_READY)(config, store, away, say)


def check_foreseen(
    made: Artifact, wanted: Collection[str], stages: Sequence[Stage] = STAGES
) -> None:
    """Raise what in an artifact would stop one of the ``wanted`` stages later on."""
    for stage in stages:
        check = stage.foresees.get(made.stage)
        if check and stage.name in wanted:
            named_function(check)(made.metrics)


def forced_stages(force_from: str | None, stages: Sequence[Stage] = STAGES) -> set[str]:
    """The stage and all below it; empty for None. Raises ``ConfigError`` for no stage."""
    if force_from is None:
        return set()
    _known(force_from, stages)
    return downstream(force_from, stages)


def stages_until(until: str | None, stages: Sequence[Stage] = STAGES) -> tuple[Stage, ...]:
    """The stage and all it needs, in order; every stage for None."""
    if until is None:
        return tuple(stages)
    _known(until, stages)
    wanted = {until}
    for stage in reversed(stages):
        if stage.name in wanted:
            wanted.update(stage.needs)
    return tuple(stage for stage in stages if stage.name in wanted)


def _predicted(
    stage: Stage,
    config: PipelineConfig,
    inputs: Mapping[str, Artifact] | None,
    store: Store,
) -> Prediction | None:
    if not stage.predict:
        return None
    notes, cache = store.notes(stage.name, "plan"), store.cache(stage.name)
    return named_function(stage.predict)(config, inputs, notes, cache)


def _known(name: str, stages: Sequence[Stage]) -> None:
    names = [stage.name for stage in stages]
    if name not in names:
        raise ConfigError(f"there is no stage {name!r}; the stages are {', '.join(names)}")


def _rebuilt(pending: Sequence[str]) -> str:
    names = ", ".join(f"`{name}`" for name in pending)
    return f"input{'s' if len(pending) > 1 else ''} {names} will be rebuilt"


def _warning(stage: Stage, config: PipelineConfig, artifact: Artifact) -> str:
    # What the stage itself said about what it made stays said.
    made = artifact.metrics.get("warning")
    warnings = [made] if isinstance(made, str) and made else []
    then, now = artifact.manifest.source, source_hashes(stage, config)
    if folders_gone(then, now):
        warnings.append(
            "its code was moved to other folders since this was made, so what changed in it "
            "can't be told; reused all the same"
        )
    elif rooms := changed_rooms(then, now):
        warnings.append(_changed_code(stage, rooms))
    return "; ".join(warnings)


def _changed_code(stage: Stage, rooms: Sequence[str]) -> str:
    return (
        f"the code of {', '.join(rooms)} changed since this was made; reused all the same: "
        f"raise the stage's version if its meaning changed, or run with --from {stage.name}"
    )
