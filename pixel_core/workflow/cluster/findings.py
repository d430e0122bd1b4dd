"""What speaks against running on a cluster, in plain words with the remedy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pixel_core.config import ClusterConfig, PipelineConfig
from pixel_core.workflow.cluster.layout import engine_of
from pixel_core.workflow.cluster.submission import store_address
from pixel_core.workflow.cluster.survey import ClusterSurvey, NodeAnswer
from pixel_core.workflow.cluster.versions import differences, wanted_versions
from pixel_core.workflow.stage import Stage


@dataclass(frozen=True)
class ClusterFinding:
    """An error stops what would run; a warning is worth a look."""

    level: Literal["error", "warning"]
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


#: A finding of one node: its level, what it is, the remedy.
_Found = tuple[Literal["error", "warning"], str, str]


def findings(
    survey: ClusterSurvey, config: PipelineConfig, stages: Sequence[Stage], store: str
) -> tuple[ClusterFinding, ...]:
    """All that the nodes' answers speak against running ``stages``; errors first.

    ``store``: its address here. What several nodes have alike is told once.
    """
    checks: tuple[Callable[[NodeAnswer], Iterator[_Found]], ...] = (
        _failed,
        lambda node: _versions(node, config.cluster),
        lambda node: _store(node, store, store_address(config.cluster, store)),
        _gpus,
        lambda node: _needed(node, needed_variables(stages, config)),
    )
    by_finding: dict[_Found, list[NodeAnswer]] = defaultdict(list)
    for node in survey.nodes:
        for check in checks:
            for found in check(node):
                by_finding[found].append(node)
    told = [
        ClusterFinding(level, _where(nodes, survey), what, remedy)
        for (level, what, remedy), nodes in by_finding.items()
    ]
    told += _disagreements(survey, needed_variables(stages, config))
    return tuple(sorted(told, key=lambda finding: finding.level))


def needed_variables(stages: Sequence[Stage], config: PipelineConfig) -> dict[str, str]:
    """Variables that jobs read on the nodes: name to the setting that names it."""
    needed = {}
    for stage in stages:
        engine = engine_of(stage.section(config))
        if engine and engine.kind == "endpoint" and engine.endpoint.api_key_env:
            field = f"{stage.sections[0]}.engine.endpoint.api_key_env"
            needed[engine.endpoint.api_key_env] = field
    return needed


def _failed(node: NodeAnswer) -> Iterator[_Found]:
    if node.failed:
        level: Literal["error", "warning"] = "error" if node.works else "warning"
        yield level, f"it tells nothing: {node.failed}", "look at the node on Ray's dashboard"


def _versions(node: NodeAnswer, cluster: ClusterConfig) -> Iterator[_Found]:
    if node.failed:
        return
    found = {**node.packages, "python": ".".join(node.python.split(".")[:2])}
    told = differences(wanted_versions(cluster), found, works=node.works)
    if not told:
        return
    remedy = (
        "give the nodes the image of the GPU plane (docker/gpu-plane)"
        if cluster.versions == "gpu_plane"
        else "give the nodes the packages of requirements.lock, or, where they have the GPU "
        'plane\'s image, set cluster.versions = "gpu_plane"'
    )
    yield "error", "; ".join(told), remedy


def _store(node: NodeAnswer, here: str, there: str) -> Iterator[_Found]:
    if node.failed or node.store.shared:
        return
    level: Literal["error", "warning"] = "error" if node.works else "warning"
    remote = there.startswith("s3://")
    if node.store.error:
        yield (
            level,
            f"it can't use the store {there}: {node.store.error}",
            "these belong in the environment of the node itself, not in the profile"
            if remote
            else "mount the folder on every node, or use an s3:// store",
        )
    elif not node.store.seen:
        yield (
            level,
            f"it does not see what was just written to the store {here}: {there} is another "
            "place there",
            "set the node's AWS_ENDPOINT_URL to the same service"
            if remote
            else "mount the folder on every node (cluster.store names it where the path is "
            "another), or use an s3:// store",
        )
    else:
        yield (
            level,
            f"what it writes to the store {there} does not arrive in {here}",
            "mount the same folder, writable, on every node, or use an s3:// store",
        )


def _gpus(node: NodeAnswer) -> Iterator[_Found]:
    if node.failed:
        return
    count = len(node.devices)
    if node.gpus and node.devices_error:
        yield (
            "error",
            f"torch can't use its {node.gpus:g} GPUs: {node.devices_error}",
            "the driver must support the CUDA of the node's torch; try nvidia-smi there",
        )
    elif node.gpus > count:
        yield (
            "error",
            f"Ray offers {node.gpus:g} GPUs, there are {count}",
            "start the node with the right --num-gpus",
        )
    elif node.gpus < count:
        yield (
            "warning",
            f"Ray offers {node.gpus:g} of {count} GPUs",
            "start the node with the right --num-gpus to use the others",
        )


def _needed(node: NodeAnswer, variables: Mapping[str, str]) -> Iterator[_Found]:
    if node.failed or not node.works:
        return
    for name, field in variables.items():
        if name not in node.variables:
            yield (
                "error",
                f"{name} is not set, which {field} names",
                "set it in the environment of the node itself (a Kubernetes secret, the "
                "service's environment file)",
            )


def _disagreements(survey: ClusterSurvey, told: Collection[str]) -> list[ClusterFinding]:
    """What differs between nodes that work, without being wrong on any of them; except
    variables that were ``told`` already."""
    nodes = [node for node in survey.nodes if node.works and not node.failed]
    found = []
    by_python = _grouped(nodes, lambda node: node.python.rpartition(".")[0])
    if len(by_python) > 1:
        # Ray sends functions between nodes as byte code.
        found.append(
            ClusterFinding("error", "Python", _each(by_python), "give all nodes one image")
        )
    for name in sorted({name for node in nodes for name in node.variables}.difference(told)):
        by_value = _grouped(nodes, partial(_value, name))
        if len(by_value) > 1:
            plain = all(name in node.plain or name not in node.variables for node in nodes)
            places = "all nodes, or in cluster.environment" if plain else "all nodes"
            remedy = f"set it alike on {places}"
            found.append(ClusterFinding("warning", name, _each(by_value), remedy))
    return found


def _value(name: str, node: NodeAnswer) -> str:
    if name in node.plain:
        return node.plain[name] or "empty"
    return "set" if name in node.hidden else "not set"


def _grouped(
    nodes: Sequence[NodeAnswer], value: Callable[[NodeAnswer], str]
) -> dict[str, list[NodeAnswer]]:
    groups: dict[str, list[NodeAnswer]] = defaultdict(list)
    for node in nodes:
        groups[value(node)].append(node)
    return groups


def _each(groups: Mapping[str, Sequence[NodeAnswer]]) -> str:
    return "; ".join(f"{value} on {_names(nodes)}" for value, nodes in groups.items())


def _where(nodes: Sequence[NodeAnswer], survey: ClusterSurvey) -> str:
    if len(nodes) == len(survey.nodes) > 1:
        return f"all {len(nodes)} nodes"
    return _names(nodes)


def _names(nodes: Sequence[NodeAnswer]) -> str:
    shown = ", ".join(node.name for node in nodes[:4])
    return f"{shown} and {len(nodes) - 4} more" if len(nodes) > 4 else shown
