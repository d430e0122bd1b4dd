"""What the annotation client adds to each request beside the endpoint's own time.

    python -m bench.annotation [--requests 640] [--concurrency 64] [--delay 1.0] [--json]

The endpoint is a process of its own that answers everything after a known delay. Were the
client free of cost, ``requests`` would take ``requests / concurrency`` delays; what they
take beyond, a request, is the overhead. The ledger keeps every answer, durable, meanwhile.
Time is taken from the first answer on, which a run waits for before it sends more.
Once with texts alone, and once with a picture of 768 x 768 pixels each.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from PIL import Image

from bench.measure import Figure, arguments, tell
from pixel_core.config import AnnotateConfig, OpenAIConfig, PipelineConfig
from pixel_core.data.annotation.account import open_account
from pixel_core.data.annotation.live import drive
from pixel_core.data.annotation.requests import (
    AnnotationRequest,
    PictureView,
    Procedure,
    RequestTask,
)
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.records import Picture
from pixel_core.workflow.stage import SilentProgress, StageContext
from pixel_core.workflow.store import Store

_KEY = "BENCH_ANNOTATOR_KEY"
_SIDE = 768
#: Requests sent before timing starts, to import the client and open connections.
_WARM = 2


def measure(asked: argparse.Namespace) -> list[Figure]:
    os.environ[_KEY] = "a-word-for-a-server-that-needs-none"
    with _endpoint(asked.delay) as url, tempfile.TemporaryDirectory() as folder:
        picture = _picture(Path(folder))
        figures: list[Figure] = []
        for name, views in (("text", ()), ("picture", (PictureView(picture, _SIDE * _SIDE),))):
            figures += _figures(asked, Path(folder), url, name, views)
    return figures


def _figures(
    asked: argparse.Namespace, folder: Path, url: str, name: str, views: tuple[PictureView, ...]
) -> Iterator[Figure]:
    walls, used = [], []
    for turn in range(asked.repeats + 1):
        count = asked.requests if turn else _WARM * asked.concurrency
        context = _context(folder, url, asked.concurrency, f"{name}-{turn}")
        with open_account(context) as account:
            questions = (_asking(f"{name} {turn} {n}", views) for n in range(count + 1))
            with closing(drive(questions, context, account)) as results:
                next(results)
                began, cpu = time.perf_counter(), time.process_time()
                answered = sum(1 for _ in results)
        if turn and answered == count:
            walls.append(1e3 * (time.perf_counter() - began) / count)
            used.append(1e3 * (time.process_time() - cpu) / count)
    free = 1e3 * asked.delay / asked.concurrency
    best = min(walls)
    note = f"{asked.concurrency} in flight, {asked.delay:g} s each; least of {len(walls)} turns"
    yield Figure(f"{name}: a request took", best, "ms", note=note)
    yield Figure(f"{name}: beyond the endpoint's time", best - free, "ms")
    yield Figure(f"{name}: CPU time of the client", min(used), "ms")


def _asking(text: str, views: tuple[PictureView, ...]) -> Callable[[], Procedure[None]]:
    request = AnnotationRequest(
        task=RequestTask.LOOK,
        messages=(
            {"role": "system", "content": 40 * "You look at pictures closely. "},
            {
                "role": "user",
                "content": [
                    *({"type": "view", "view": number} for number in range(len(views))),
                    {"type": "text", "text": text},
                ],
            },
        ),
        views=views,
        response_format={"type": "json_object"},
        max_tokens=300,
    )

    def procedure() -> Procedure[None]:
        yield request

    return procedure


def _context(folder: Path, url: str, concurrency: int, owner: str) -> StageContext:
    store = Store.open(str(folder / "store"))
    openai = OpenAIConfig(base_url=url, api_key_env=_KEY, concurrency=concurrency)
    return StageContext(
        config=PipelineConfig(annotate=AnnotateConfig(by="openai", openai=openai)),
        inputs={"ingest": folder},
        out=folder,
        work=store.workspace("annotate", owner, generation="0"),
        progress=SilentProgress(),
        shared=store.notes("annotate", owner),
        cache=store.cache("annotate"),
    )


def _picture(folder: Path) -> Picture:
    out = io.BytesIO()
    noise = Image.effect_noise((_SIDE // 4, _SIDE // 4), 60).convert("RGB")
    noise.resize((_SIDE, _SIDE)).save(out, "JPEG")
    with PictureArchiveWriter(folder / "pictures.zip") as archive:
        return archive.add("a.jpg", out.getvalue(), _SIDE, _SIDE)


@contextmanager
def _endpoint(delay: float) -> Iterator[str]:
    command = [sys.executable, "-m", "bench.answering_server", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=3)
    options.add_argument("--requests", type=int, default=640)
    options.add_argument("--concurrency", type=int, default=64)
    options.add_argument("--delay", type=float, default=1.0, help="seconds to each answer")
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    tell(given, measure(given))
