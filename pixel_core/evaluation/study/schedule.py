"""Which node of a graph to work on next, with how many processes.

Nodes start in the graph's order as soon as their dependencies are there, one process each, so
shared stages come first and cells fill every core. If fewer nodes than cores can start, they
get several processes; results do not depend on that.
"""

from __future__ import annotations

from pixel_core.evaluation.study.graph import Graph, Node


class Schedule:
    """When a node fails, so do its dependents; the others go on."""

    def __init__(self, graph: Graph, cores: int) -> None:
        if cores < 1:
            raise ValueError(f"cores must be at least 1, got {cores}")
        self._graph = graph
        self._free = cores
        #: By id: the number of processes of a running node.
        self._running: dict[str, int] = {}
        self._waiting = dict.fromkeys(graph.nodes)
        self._done: set[str] = set()
        #: Ids of failed nodes and of all their dependents.
        self.lost: set[str] = set()

    @property
    def finished(self) -> bool:
        return not self._waiting and not self._running

    def start(self) -> list[tuple[Node, int]]:
        """The nodes to start now, each with its number of processes; marks them running."""
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
        """A running node ended; with ``failed``, all its dependents are lost."""
        self._free += self._running.pop(node.id)
        if not failed:
            self._done.add(node.id)
            return
        self.lost.add(node.id)
        for other in self._graph.nodes.values():  # dependencies come first
            if self.lost.intersection(other.needs):
                self.lost.add(other.id)
                self._waiting.pop(other.id, None)
