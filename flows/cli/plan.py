"""``pixel plan``: every stage, reuse or run, and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from flows.consoles import plain_console
from flows.request import RunRequest
from pixel_core.workflow.planning import Decision


def print_plan(request: RunRequest, as_json: bool) -> None:
    config, store, decisions = request.plan()
    if as_json:
        print(json.dumps([_values(decision) for decision in decisions], indent=1))
        return
    console = plain_console()
    console.print(f"profile {config.name}, store {store.uri}", soft_wrap=True)
    width = max([20, *(len(decision.stage) + 2 for decision in decisions)])
    for decision in decisions:
        console.print(_line(decision, width), soft_wrap=True)
        if decision.warning:
            console.print(Text(f"  warning: {decision.warning}", "yellow"), soft_wrap=True)
    console.print(summary(decisions))


def summary(decisions: Sequence[Decision]) -> str:
    """``12 stages: 9 to reuse, 3 to run``."""
    counts = Counter(decision.action for decision in decisions)
    return f"{len(decisions)} stages: {counts['reuse']} to reuse, {counts['run']} to run"


def _line(decision: Decision, width: int) -> Text:
    style = "blue" if decision.action == "reuse" else "green"
    cost = f" ({decision.cost.words})" if decision.cost else ""
    return Text.assemble(
        f"{decision.stage:<{width}}", (f"{decision.action:<7}", style), decision.reason, cost
    )


def _values(decision: Decision) -> dict[str, Any]:
    cost = decision.cost
    return {
        "stage": decision.stage,
        "action": decision.action,
        "reason": decision.reason,
        "warning": decision.warning,
        "key": decision.key,
        "cost": None if cost is None else {"usd": cost.usd, "words": cost.words},
    }
