"""Which node of a graph to work on next, and with how many processes.

Nodes start in the graph's order as soon as what they need is there, one process each, so
that shared stages come first and cells fill every core. Where fewer nodes than cores can
start, they get several processes: results do not depend on it.
"""

from __future__ import annotations

from pixel_core.evaluation.study.graph import Graph, Node


class Schedule:
    """A node that fails takes those that stand on it with it; the rest goes on."""

    def __init__(self, graph: Graph, cores: int) -> None:
        if cores < 1:
            raise ValueError(f"cores must be at least 1, got {cores}")
        self._graph = graph
        self._free = cores
        #: By id: the processes a running node holds.
        self._running: dict[str, int] = {}
        self._waiting = dict.fromkeys(graph.nodes)
        self._done: set[str] = set()
        #: Ids of failed nodes and of all that stand on them.
        self.lost: set[str] = set()

    @property
    def finished(self) -> bool:
        return not self._waiting and not self._running

    def start(self) -> list[tuple[Node, int]]:
        """The nodes to start now, each with its number of processes; they count as running."""
        ready = [
            node
            for node in map(self._graph.nodes.__getitem__, self._waiting)
            if self._done.issuperset(node.needs)
        ][: self._free]
        started = []
        for place, node in enumerate(ready):
            processes = self._free // (len(ready) - place)
            self._free -= processes
            self._running[node.id] = processes
            del self._waiting[node.id]
            started.append((node, processes))
        return started

    def ended(self, node: Node, *, failed: bool = False) -> None:
        """A running node ended; with ``failed`` all that stands on it is lost."""
        self._free += self._running.pop(node.id)
        if not failed:
            self._done.add(node.id)
            return
        self.lost.add(node.id)
        for other in self._graph.nodes.values():  # what is needed comes first
            if self.lost.intersection(other.needs):
                self.lost.add(other.id)
                self._waiting.pop(other.id, None)
