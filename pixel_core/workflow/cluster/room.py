"""What a stage asks of a cluster, and whether its nodes can ever hold that.

Pure functions of a configuration and the nodes' sizes, without Ray.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from pixel_core.config import PipelineConfig, RlConfig, SftConfig
from pixel_core.config.engine import EngineConfig
from pixel_core.workflow.cluster.layout import engine_of, section_name
from pixel_core.workflow.stage import Stage

#: Ray counts in ten-thousandths; less is rounding.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Group:
    """``count`` processes, each of which needs its resources on one node."""

    what: str
    #: Settings to lower when there is no room.
    settings: str
    count: int
    cpus: float = 0.0
    gpus: float = 0.0
    memory_gib: float = 0.0


@dataclass(frozen=True)
class Room:
    """What a node has in all; whether others use it now does not matter, jobs wait."""

    name: str
    cpus: float
    gpus: float
    memory_gib: float


def asked(stage: Stage, config: PipelineConfig) -> tuple[Group, ...]:
    """All processes of a stage that Ray must find room for at the same time."""
    place = stage.place(config)
    own = Group(
        "the job itself",
        f"{section_name(stage)}.place",
        1,
        place.cpus,
        place.gpus,
        place.memory_gib,
    )
    section = stage.section(config)
    if isinstance(section, SftConfig):
        return (own, *_ray_train(section))
    if isinstance(section, RlConfig):
        return (own, *_openrlhf(section))
    if engine := engine_of(section):
        return (own, *_actors(section_name(stage), engine))
    return (own,)


def no_room(stage: Stage, config: PipelineConfig, rooms: Sequence[Room]) -> tuple[str, ...]:
    """Why the nodes can't ever hold the stage, one line a reason; empty when nothing speaks
    against it. Told only what is certain: a mix of groups may still not fit together."""
    groups = asked(stage, config)
    told = []
    for field, unit in (("gpus", "GPUs"), ("cpus", "CPUs"), ("memory_gib", "GiB of memory")):
        wanted = sum(group.count * getattr(group, field) for group in groups)
        there = sum(getattr(room, field) for room in rooms)
        if wanted > there + TOLERANCE:
            told.append(
                f"{stage.name} asks for {wanted:g} {unit} ({_parts(groups, field)}); the "
                f"cluster has {there:g} ({_parts_there(rooms, field)}): lower "
                f"{_settings(groups, field)}, or add nodes"
            )
    if told:
        return tuple(told)
    for group in groups:
        places = sum(_places(group, room) for room in rooms)
        if places < group.count:
            told.append(
                f"{stage.name} asks for {group.count} x {group.what} with {_each(group)} on "
                f"one node each; the nodes ({_shapes(rooms)}) have room for {places}: change "
                f"{group.settings}, or add nodes"
            )
    return tuple(told)


def _ray_train(section: SftConfig) -> tuple[Group, ...]:
    if not section.steps or section.backend != "ray_train":
        return ()
    layout = section.ray_train
    return (
        Group(
            "workers of Ray Train",
            "sft.ray_train",
            layout.workers,
            layout.cpus_per_worker,
            layout.gpus_per_worker,
        ),
    )


def _openrlhf(section: RlConfig) -> tuple[Group, ...]:
    """Its placement groups are bundles of one CPU and one GPU; colocated engines sleep on the
    trainer's."""
    if section.backend != "openrlhf":
        return ()
    layout = section.openrlhf
    trainer = Group(
        "trainers of OpenRLHF",
        "rl.openrlhf.gpus_per_node or nodes",
        layout.nodes * layout.gpus_per_node,
        cpus=1,
        gpus=1,
    )
    if layout.colocate:
        return (trainer,)
    parallel = layout.tensor_parallel
    engines = Group(
        "vLLM engines",
        "rl.openrlhf.engines or tensor_parallel",
        layout.engines,
        parallel,
        parallel,
    )
    return (trainer, engines)


def _actors(name: str, engine: EngineConfig) -> tuple[Group, ...]:
    if not engine.actors:
        return ()
    what, settings = "actors that answer", f"{name}.engine.actors or gpus_per_actor"
    return (Group(what, settings, engine.actors, cpus=1, gpus=engine.gpus_per_actor),)


def _places(group: Group, room: Room) -> int:
    """How many of the group's processes a node holds when it holds nothing else."""
    pairs = (
        (room.cpus, group.cpus),
        (room.gpus, group.gpus),
        (room.memory_gib, group.memory_gib),
    )
    fits = [floor((there + TOLERANCE) / wanted) for there, wanted in pairs if wanted > 0]
    return min([group.count, *fits])


def _parts(groups: Sequence[Group], field: str) -> str:
    return ", ".join(
        f"{group.count} x {getattr(group, field):g} for {group.what}"
        for group in groups
        if getattr(group, field)
    )


def _parts_there(rooms: Sequence[Room], field: str) -> str:
    having = [getattr(room, field) for room in rooms if getattr(room, field)]
    return f"{' + '.join(f'{amount:g}' for amount in having)}" if having else "none on any node"


def _settings(groups: Sequence[Group], field: str) -> str:
    return " or ".join(group.settings for group in groups if getattr(group, field))


def _each(group: Group) -> str:
    amounts = (
        (group.cpus, "CPUs"),
        (group.gpus, "GPUs"),
        (group.memory_gib, "GiB of memory"),
    )
    return ", ".join(f"{amount:g} {unit}" for amount, unit in amounts if amount)


def _shapes(rooms: Sequence[Room]) -> str:
    return "; ".join(f"{room.cpus:g} CPUs, {room.gpus:g} GPUs" for room in rooms)
