"""What an endpoint was asked for a stage's chunks: kept beside each chunk, summed at the end.

The sum is the stage's table of costs, which its manifest shows; it is no part of what the
stage makes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from pixel_core.workflow.stage import Workspace

#: Where the runner looks for what a stage cost.
_COSTS = "costs.json"
_SUFFIX = ".usage"


def put_chunk(work: Workspace, name: str, data: bytes, usage: Mapping[str, int]) -> None:
    """Make a chunk durable. Its usage goes first: what was paid for is counted even when
    the answers are lost on the way."""
    if usage:
        work.put(f"{name}{_SUFFIX}", json.dumps(usage).encode())
    work.put(name, data)


def sum_usage(work: Workspace) -> None:
    """Write the table of costs, where there are any."""
    total: Counter[str] = Counter()
    for name in work.names():
        if name.endswith(_SUFFIX):
            total.update(json.loads(work.get(name) or b"{}"))
    if total:
        work.put(_COSTS, json.dumps(total).encode())
