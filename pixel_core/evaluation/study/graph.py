"""A matrix of cells as a graph: each distinct stage once, with its dependencies.

Two cells share a stage when everything that shapes its output is equal. That is known before
anything is made, from a stage's identity, in which the identities of its dependencies replace
their digests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pixel_core.errors import ConfigError
from pixel_core.evaluation.study.matrix import Cell, Matrix
from pixel_core.workflow.planning import Decision, decide, stages_until
from pixel_core.workflow.stage import Stage, section_of
from pixel_core.workflow.store import Artifact, Store
from pixel_core.workflow.store.identity import identity, key_of
from pixel_core.workflow.table import STAGES

#: The ends of a cell: its policy's answers, and those of its warm start.
ENDS = ("answers_policy", "answers_warm_start")


@dataclass(frozen=True)
class Node:
    """A stage that one or more cells depend on."""

    id: str
    stage: Stage
    #: Cells that depend on it, in the matrix's order; the first one's configuration is used.
    cells: tuple[Cell, ...]
    #: Ids of the nodes it needs, in the order of ``stage.needs``.
    needs: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class Graph:
    """``nodes`` by id, stage by stage in the table's order: dependencies come first."""

    nodes: Mapping[str, Node]
    #: The node of each cell's stage.
    place: Mapping[tuple[Cell, str], str]

    def of(self, cell: Cell, stage: str) -> Node:
        return self.nodes[self.place[cell, stage]]


def build_graph(matrix: Matrix, stages: Sequence[Stage] = STAGES) -> Graph:
    """Raises ``ConfigError`` if two cells are the same run, and the errors of the stages'
    fingerprints (a missing manifest)."""
    wanted = {stage.name for end in ENDS for stage in stages_until(end, stages)}
    place: dict[tuple[Cell, str], str] = {}
    found: dict[str, tuple[Stage, list[Cell]]] = {}
    known: dict[tuple[str, ...], str] = {}
    for stage in (stage for stage in stages if stage.name in wanted):
        for cell in matrix.cells:
            inputs = {need: place[cell, need] for need in stage.needs}
            # A fingerprint may read gigabytes: compute it once for equal settings.
            settings = (section_of(cell.config, name) for name in stage.sections)
            asked = (
                stage.name,
                *(section.model_dump_json() for section in settings),
                *inputs.values(),
            )
            if asked not in known:
                known[asked] = key_of(identity(stage, cell.config, inputs))
            place[cell, stage.name] = known[asked]
            found.setdefault(known[asked], (stage, []))[1].append(cell)
    for stage, cells in found.values():
        if stage.name == "rl" and len(cells) > 1:
            raise ConfigError(
                f"({cells[0]}) and ({cells[1]}) are one and the same run: they differ in no "
                "setting that shapes it; drop one, or change study.arms or the seed fields"
            )
    nodes = {
        id: Node(
            id=id,
            stage=stage,
            cells=tuple(cells),
            needs=tuple(place[cells[0], need] for need in stage.needs),
            label=_label(stage, cells, matrix),
        )
        for id, (stage, cells) in found.items()
    }
    return Graph(nodes, place)


def plan_graph(graph: Graph, store: Store) -> list[tuple[Node, Decision]]:
    """Decide reuse or run for every node, without running any; see ``planning.plan``."""
    decided: list[tuple[Node, Decision]] = []
    made: dict[str, Artifact] = {}
    for node in graph.nodes.values():
        pending = [graph.nodes[need].label for need in node.needs if need not in made]
        if pending:
            names = ", ".join(f"`{label}`" for label in pending)
            reason = f"input{'s' if len(pending) > 1 else ''} {names} will be rebuilt"
            decided.append((node, Decision(node.stage.name, "run", reason, None)))
            continue
        inputs = {
            name: made[need] for name, need in zip(node.stage.needs, node.needs, strict=True)
        }
        decision = decide(node.stage, node.cells[0].config, inputs, store)
        decided.append((node, decision))
        if decision.action == "reuse" and decision.artifact is not None:
            made[node.id] = decision.artifact
    return decided


def _label(stage: Stage, cells: Sequence[Cell], matrix: Matrix) -> str:
    """``rl full, warm start 0, seed 2``, or ``sft, warm start 0`` for a stage that most arms
    share; includes the base model's seed if there are several."""
    if stage.name in ("rl", "answers_policy"):
        one = cells[0]
        several = len(matrix.config.study.base_model_seeds) > 1
        base = f"base model {one.seeds.base_model}, " if several else ""
        return (
            f"{stage.name} {one.arm}, {base}warm start {one.seeds.warm_start}, "
            f"seed {one.seeds.rl}"
        )
    arms = list(dict.fromkeys(cell.arm for cell in cells))
    parts = [stage.name]
    if 2 * len(arms) <= len(matrix.config.study.arms):
        parts[0] += f" {' + '.join(arms)}"
    for kind, which in (("base model", 0), ("warm start", 1)):
        seeds = {cell.seeds[which] for cell in cells}
        if seeds != {cell.seeds[which] for cell in matrix.cells}:
            parts += [f"{kind} {seed}" for seed in sorted(seeds)]
    return ", ".join(parts)
