"""What a study is asked for, in plain values; checked before any work or server starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from pixel_core.evaluation.study.graph import Graph, Node, build_graph, plan_graph
from pixel_core.evaluation.study.matrix import Matrix, build_matrix
from pixel_core.workflow.planning import Decision, check_away
from pixel_core.workflow.store import Store
from pixel_core.workflow.store.named_function import named_function


@dataclass(frozen=True)
class StudyRequest:
    """The flow's parameters; the fields' names are the command line's."""

    profile: str = "learning_trap"
    overrides: tuple[str, ...] = ()
    #: Where artifacts are; None: ``PIXEL_STORE``, else the profile's ``runtime.store``.
    store: str | None = None
    only: tuple[str, ...] = ()
    #: Every byte of every artifact is read, whatever is known of it.
    verify: bool = False
    #: The study's small form.
    quick: bool = False

    def open(self) -> tuple[Matrix, Graph, Store]:
        """Raises every error that bad input can cause."""
        matrix = build_matrix(self.profile, self.overrides, self.only, quick=self.quick)
        graph = build_graph(matrix)
        place = self.store or os.environ.get("PIXEL_STORE") or matrix.config.runtime.store
        return matrix, graph, Store.open(place, read_all=self.verify)

    def plan(self) -> tuple[Matrix, Graph, Store, list[tuple[Node, Decision]]]:
        """Also reuse or run for each distinct stage, none run."""
        matrix, graph, store = self.open()
        return matrix, graph, store, plan_graph(graph, store)


def check_study_ready(
    decided: list[tuple[Node, Decision]],
    store: Store,
    say: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Raise what would stop a stage that is to run, before any of them has begun; ``say``
    hears what takes more than a moment."""
    for node, decision in decided:
        if decision.action == "run":
            config = node.cells[0].config
            if node.stage.ready:
                named_function(node.stage.ready)(config)
            check_away(config, store, [node.stage], say)
