"""The endpoint: seconds to an answer, and answers a second, at 1, 8 and 64 clients.

    python -m bench.serving --store STORE [--profile tiny] [--questions 192] [--json]

The real ``pixel serve`` as a process, on the store's policy; clients that ask one drawn
question after the other over kept connections, greedy. Beside it the same questions, as PNG,
put by as many threads to a ``Reasoner`` without HTTP; and as the peer FastAPI over
transformers' ``generate``, one request at a time (``bench.plain_endpoint``). Server and
clients share the machine's cores. The peer has to say the same words to be compared.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from bench.measure import ROOT, Figure, arguments, tell
from pixel_core.config.profile import load_profile
from pixel_core.serving.demo.examples import Example, draw_examples
from pixel_core.serving.model_folder import model_path
from pixel_core.serving.reasoner import Reasoner
from pixel_core.workflow.store import Store

CLIENTS = (1, 8, 64)
CHAT = "/v1/chat/completions"
_START_S = 120.0


@dataclass(frozen=True)
class Question:
    png: bytes
    text: str

    @classmethod
    def of(cls, example: Example) -> Question:
        out = io.BytesIO()
        example.images[0].save(out, "PNG")
        return cls(out.getvalue(), example.question)

    def body(self) -> bytes:
        url = f"data:image/png;base64,{base64.b64encode(self.png).decode()}"
        content = [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": self.text},
        ]
        message = {"role": "user", "content": content}
        return json.dumps({"model": "policy", "messages": [message]}).encode()


@dataclass(frozen=True)
class Turn:
    """All questions once: total and individual seconds, and the answers."""

    seconds: float
    each: tuple[float, ...]
    said: tuple[str, ...]

    def at(self, percent: int) -> float:
        """A percentile of the latencies, in milliseconds."""
        return 1e3 * statistics.quantiles(self.each, n=100, method="inclusive")[percent - 1]


def over_http(url: str, bodies: Sequence[bytes], clients: int) -> Turn:
    async def all_of_them() -> Turn:
        each, said = [0.0] * len(bodies), [""] * len(bodies)
        left = iter(range(len(bodies)))
        limits = httpx.Limits(max_connections=clients)
        async with httpx.AsyncClient(timeout=300, limits=limits) as client:

            async def ask_on() -> None:
                for number in left:
                    began = time.perf_counter()
                    reply = await client.post(
                        url + CHAT,
                        content=bodies[number],
                        headers={"content-type": "application/json"},
                    )
                    reply.raise_for_status()
                    each[number] = time.perf_counter() - began
                    said[number] = reply.json()["choices"][0]["message"]["content"]

            began = time.perf_counter()
            await asyncio.gather(*(ask_on() for _ in range(clients)))
            return Turn(time.perf_counter() - began, tuple(each), tuple(said))

    return asyncio.run(all_of_them())


def without_http(reasoner: Reasoner, questions: Sequence[Question], clients: int) -> Turn:
    def ask(question: Question) -> tuple[float, str]:
        began = time.perf_counter()
        answer = reasoner.ask(question.png, question.text)
        seconds = time.perf_counter() - began
        return seconds, "\n\n".join(step.text for step in answer.steps)

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as askers:
        done = list(askers.map(ask, questions))
    each, said = zip(*done, strict=True)
    return Turn(time.perf_counter() - began, each, said)


@contextmanager
def process(command: Sequence[str], port: int) -> Iterator[str]:
    """Run a server as a separate process, from when it is ready until the block ends."""
    started = subprocess.Popen(
        [*command, "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                httpx.get(f"{url}/health", timeout=5).raise_for_status()
                break
            except httpx.HTTPError:
                if started.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{' '.join(command)} does not serve") from None
                time.sleep(0.2)
        yield url
    finally:
        started.terminate()
        started.wait(60)


def measure(asked: argparse.Namespace) -> list[Figure]:
    config = load_profile(asked.profile)
    drawn = draw_examples(config.ingest.drawn, 60)
    questions = [Question.of(drawn[n % len(drawn)]) for n in range(asked.questions)]
    bodies = [question.body() for question in questions]
    store, python = ["--store", asked.store, "--profile", asked.profile], sys.executable
    serve = [python, "-m", "flows.cli.main", "serve", *store, "--max-running", "64"]
    path = model_path(Store.open(asked.store))
    with (
        process(serve, _free_port()) as ours,
        process([python, "-m", "bench.plain_endpoint", *store], _free_port()) as plain,
        Reasoner.load(path, profile=config) as reasoner,
    ):
        ways: dict[str, Callable[[int], Turn]] = {
            "endpoint": lambda clients: over_http(ours, bodies, clients),
            "without HTTP": lambda clients: without_http(reasoner, questions, clients),
            "peer": lambda clients: over_http(plain, bodies, clients),
        }
        figures = []
        for clients in CLIENTS:
            turns = _in_turns(ways, clients, asked.repeats)
            figures += _figures(clients, turns)
    return figures


def _in_turns(
    ways: dict[str, Callable[[int], Turn]], clients: int, repeats: int
) -> dict[str, list[Turn]]:
    turns: dict[str, list[Turn]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name in ways if repeat % 2 else reversed(ways):
            turn = ways[name](clients)
            if repeat:  # the first one warms up
                turns[name].append(turn)
    return turns


def _figures(clients: int, turns: dict[str, list[Turn]]) -> list[Figure]:
    ours, bare, peer = turns["endpoint"], turns["without HTTP"], turns["peer"]
    lost = sum(not said for turn in ours for said in turn.said)
    if lost or any(turn.said != bare[0].said for turn in ours):
        raise SystemExit(f"at {clients} clients answers were lost or differ from those alone")
    same = sum(a == b for a, b in zip(ours[0].said, peer[0].said, strict=True))
    count = len(ours[0].said)
    who = f"{clients} client{'s' if clients > 1 else ''}"
    ratio = statistics.median(
        theirs.seconds / mine.seconds for mine, theirs in zip(ours, peer, strict=True)
    )
    note = f"peer: one at a time, {same} of {count} answers the same words"
    rows = [_rate(f"answers, {who}", ours, peer=ratio, note=note)]
    rows.append(_rate(f"the same without HTTP, {who}", bare))
    for percent in (50, 95):
        waits = [turn.at(percent) for turn in ours]
        rows.append(_spread(f"wait for an answer, {who}, p{percent}", waits, "ms"))
    theirs = [turn.at(95) for turn in peer]
    rows.append(_spread(f"the peer's, {who}, p95", theirs, "ms"))
    return rows


def _rate(
    name: str, turns: Sequence[Turn], peer: float | None = None, note: str = ""
) -> Figure:
    rates = [len(turn.each) / turn.seconds for turn in turns]
    figure = _spread(name, rates, "/s")
    return Figure(name, figure.value, "/s", figure.low, figure.high, peer, note)


def _spread(name: str, values: list[float], unit: str) -> Figure:
    low, middle, high = (
        statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    )
    return Figure(name, middle, unit, low, high)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=3)
    options.add_argument("--store", required=True, help="the store of a finished run")
    options.add_argument("--profile", default="tiny", help="that run's profile")
    options.add_argument("--questions", type=int, default=192, help="asked in a turn")
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    tell(given, measure(given))
