"""The tiny job that asks every node: ``python -m ...cluster.probe_job QUESTION``.

QUESTION is JSON (see ``node_report.report``) with ``mark``, the word that begins each line of
the answer, and ``seconds`` that a node may take. One line comes from each node.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pixel_core.workflow.cluster.node_report import report


def main(question: dict[str, Any]) -> None:
    ray.init(log_to_driver=False)
    nodes = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
    # Reserves nothing: a node that is busy answers too.
    task = ray.remote(num_cpus=0, max_retries=0)(report)
    waiting = {}
    for name, node in nodes.items():
        here = NodeAffinitySchedulingStrategy(name, soft=False)
        offered = node["Resources"].get("GPU", 0.0)
        asked = task.options(scheduling_strategy=here).remote(question, name, offered)
        waiting[asked] = name
    limit = time.monotonic() + question["seconds"]
    while waiting and (left := limit - time.monotonic()) > 0:
        done, _ = ray.wait(list(waiting), timeout=left)
        for asked in done:
            name = waiting.pop(asked)
            try:
                answer = ray.get(asked)
            except RayError as error:
                answer = {"failed": f"{type(error).__name__}: {str(error).strip()[-600:]}"}
            _say(question, {**_facts(nodes[name]), **answer})
    for name in waiting.values():
        silent = f"did not answer within {question['seconds']} s"
        _say(question, {**_facts(nodes[name]), "failed": silent})
    # Nodes that do not answer would hold up an orderly end.
    os._exit(0)


def _facts(node: dict[str, Any]) -> dict[str, Any]:
    """What Ray itself says of a node."""
    resources = node["Resources"]
    return {
        "node": node["NodeID"],
        "address": node["NodeManagerAddress"],
        "cpus": resources.get("CPU", 0.0),
        "gpus": resources.get("GPU", 0.0),
        "memory_gib": resources.get("memory", 0.0) / 2**30,
    }


def _say(question: dict[str, Any], value: dict[str, Any]) -> None:
    print(question["mark"], json.dumps(value), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
