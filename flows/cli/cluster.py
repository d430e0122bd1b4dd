"""``pixel cluster check``: what the cluster's nodes are, and whether the profile runs there."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.cli.endings import errors
from flows.consoles import plain_console
from flows.request import RunRequest
from pixel_core.config import PipelineConfig
from pixel_core.workflow.cluster.ready import Examination, examine
from pixel_core.workflow.cluster.survey import NodeAnswer
from pixel_core.workflow.cluster.versions import public, wanted_versions
from pixel_core.workflow.stage import Stage
from pixel_core.workflow.table import stages_of


def check_cluster(request: RunRequest, as_json: bool) -> bool:
    """Print what every node said and what speaks against it; whether nothing does."""
    config = request.config()
    store = request.open_store(config)
    stages = [stage for stage in stages_of(config) if stage.place(config).on == "ray"]
    found = examine(config, store, stages, _say)
    if as_json:
        print(json.dumps(values(found, config, stages), indent=1))
    else:
        show(plain_console(), found, config, stages)
    return not found.errors


def _say(sentence: str) -> None:
    errors.print(Text(sentence, "dim"), soft_wrap=True)


def values(
    found: Examination, config: PipelineConfig, stages: Sequence[Stage]
) -> dict[str, Any]:
    """What ``--json`` prints: JSON values, with every node's own words."""
    return {
        "ready": not found.errors,
        "address": found.survey.address,
        "ray": found.survey.ray,
        "stages": [stage.name for stage in stages],
        "wanted": wanted_versions(config.cluster),
        "nodes": [
            {"name": node.name, "works": node.works, **node.model_dump(mode="json")}
            for node in found.survey.nodes
        ],
        "findings": [
            {
                "level": finding.level,
                "where": finding.where,
                "what": finding.what,
                "remedy": finding.remedy,
            }
            for finding in found.findings
        ],
    }


def show(
    console: Console, found: Examination, config: PipelineConfig, stages: Sequence[Stage]
) -> None:
    """Print a row a node, versions beside the wanted ones, variables, findings, the verdict."""
    survey = found.survey
    console.print(f"Ray {survey.ray} at {survey.address}", soft_wrap=True)
    console.print(_nodes(survey.nodes))
    console.print(_versions(survey.nodes, wanted_versions(config.cluster)))
    variables = _variables(survey.nodes)
    if variables.row_count:
        console.print(variables)
    for finding in found.findings:
        style = "red" if finding.level == "error" else "yellow"
        line = Text.assemble((f"{finding.level}: ", style), str(finding))
        console.print(line, soft_wrap=True)
    console.print(_verdict(found, stages), soft_wrap=True)


def _nodes(nodes: Sequence[NodeAnswer]) -> Table:
    table = _table("node", "CPUs", "GPUs", "memory", "disk free", "Python", "store")
    for node in nodes:
        table.add_row(
            node.name if node.works else f"{node.name} (takes no work)",
            f"{node.cpus:g}",
            _devices(node),
            f"{node.memory_gib:.0f} GiB",
            "" if node.failed else f"{node.disk_free_gib:.0f} GiB",
            node.python,
            _store(node),
        )
    return table


def _devices(node: NodeAnswer) -> Text:
    """``8 x NVIDIA H100 80 GiB``: as many as Ray offers, as the driver names them."""
    kinds = sorted({f"{name} {size:.0f} GiB" for name, size in node.devices})
    amount = f"{node.gpus:g}"
    return Text(f"{amount} x {', '.join(kinds)}" if kinds and node.gpus else amount)


def _store(node: NodeAnswer) -> Text:
    if node.failed:
        return Text("did not answer", "red")
    if node.store.shared:
        return Text(f"shared, {node.store.milliseconds:.0f} ms", "green")
    return Text("out of reach" if node.store.error else "another place", "red")


def _versions(nodes: Sequence[NodeAnswer], wanted: dict[str, str]) -> Table:
    """A row a package that matters; versions that several nodes share are told once."""
    table = _table("package", "wanted", "on the nodes")
    answered = [node for node in nodes if not node.failed]
    for name in wanted:
        there = _alike(answered, [_version(node, name) for node in answered])
        agreed = all(public(_version(node, name)) == wanted[name] for node in answered)
        table.add_row(name, wanted[name], Text(there, "green" if agreed else "red"))
    return table


def _version(node: NodeAnswer, package: str) -> str:
    if package == "python":
        return node.python.rpartition(".")[0]
    return node.packages.get(package) or "missing"


def _variables(nodes: Sequence[NodeAnswer]) -> Table:
    table = _table("variable", "on the nodes")
    answered = [node for node in nodes if not node.failed]
    for name in sorted({name for node in answered for name in node.variables}):
        values = [
            node.plain.get(name, "set" if name in node.hidden else "not set")
            for node in answered
        ]
        table.add_row(name, Text(_alike(answered, values)))
    return table


def _alike(nodes: Sequence[NodeAnswer], values: Iterable[str]) -> str:
    groups: dict[str, list[str]] = defaultdict(list)
    for node, value in zip(nodes, values, strict=True):
        groups[value].append(node.name)
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in groups.items())


def _verdict(found: Examination, stages: Sequence[Stage]) -> Text:
    if found.errors:
        count = len(found.errors)
        return Text(f"not ready: {count} error{'s' if count > 1 else ''}", "red")
    if not stages:
        return Text("ready; but this profile runs no stage there (place.on = 'ray')", "green")
    return Text(f"ready for {', '.join(stage.name for stage in stages)}", "green")


def _table(*head: str) -> Table:
    return Table(*head, box=None, header_style="bold", pad_edge=False)
