"""The server's Prometheus metrics. They contain nothing of a request's content."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from pixel_core.records import Step, StopReason

CONTENT_TYPE = CONTENT_TYPE_LATEST

#: Seconds: a tiny model answers in hundredths, a 7B model on a CPU in minutes.
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Metrics:
    """Has its own registry, so that several servers in a process stay apart."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self._requests = Counter(
            "pixel_requests", "Requests by route and status", ["route", "status"],
            registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "pixel_answer_seconds",
            "From a question's headers to its answer's last byte",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._tokens = Counter(
            "pixel_tokens", "Tokens of ended episodes", ["kind"], registry=registry
        )
        self._operations = Counter(
            "pixel_operations", "Operations carried out", ["operation"], registry=registry
        )
        self._errors = Counter(
            "pixel_operation_errors", "Calls refused, by why", ["error"], registry=registry
        )
        self._stops = Counter(
            "pixel_episodes", "Ended episodes, by why they ended", ["stop"], registry=registry
        )
        for reason in StopReason:  # a rate must start at zero
            self._stops.labels(reason.value)

    def watch(self, name: str, words: str, value: Callable[[], float]) -> None:
        """A gauge read on each scrape."""
        Gauge(f"pixel_{name}", words, registry=self._registry).set_function(value)

    def replied(self, route: str, status: int) -> None:
        self._requests.labels(route, str(status)).inc()

    def answered(self, seconds: float) -> None:
        self._seconds.observe(seconds)

    def ended(
        self, stop: StopReason, steps: tuple[Step, ...], prompt: int, sampled: int
    ) -> None:
        """Count an ended episode: why it ended, its steps, its tokens."""
        self._stops.labels(stop.value).inc()
        self._tokens.labels("prompt").inc(prompt)
        self._tokens.labels("completion").inc(sampled)
        for step in steps:
            if step.error:
                self._errors.labels(step.error).inc()
            elif step.frames:
                self._operations.labels("select_frames").inc()
            elif step.box is not None:
                self._operations.labels("zoom").inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)
