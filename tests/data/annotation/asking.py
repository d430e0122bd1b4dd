"""Requests and contexts for tests of how answers are paid for, whatever is asked."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image

from pixel_core.config import AnnotateConfig, OpenAIConfig, PipelineConfig
from pixel_core.data.annotation.account import BudgetAccount, open_account
from pixel_core.data.annotation.live import drive
from pixel_core.data.annotation.requests import (
    AnnotationRequest,
    PictureView,
    Procedure,
    RequestTask,
)
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.models.endpoint.completion import Reply
from pixel_core.records import Picture
from pixel_core.workflow.stage import SilentProgress, StageContext
from pixel_core.workflow.store import Store

KEY = "sk-test-4f1d0c2b9a8e7766"
VARIABLE = "TEST_ANNOTATOR_KEY"


class Told(SilentProgress):
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def request(text: str, *views: PictureView, **changes: Any) -> AnnotationRequest:
    """A question; ``text`` tells it from others."""
    values: dict[str, Any] = {
        "task": RequestTask.LOOK,
        "messages": (
            {"role": "system", "content": "answer"},
            {
                "role": "user",
                "content": [
                    *({"type": "view", "view": number} for number in range(len(views))),
                    {"type": "text", "text": text},
                ],
            },
        ),
        "views": views,
        "response_format": {"type": "json_object"},
        "max_tokens": 100,
    }
    return AnnotationRequest(**{**values, **changes})


def ask(*texts: str) -> Callable[[], Procedure[list[str | None]]]:
    """A procedure that asks one question after the other."""

    def procedure() -> Procedure[list[str | None]]:
        said = []
        for text in texts:
            reply: Reply = yield request(text)
            said.append(reply.content)
        return said

    return procedure


def picture(folder: Path, image: Image.Image, name: str = "a.png") -> Picture:
    """An archive ``pictures.zip`` in ``folder`` that holds this one picture."""
    out = io.BytesIO()
    image.save(out, "PNG")
    with PictureArchiveWriter(folder / "pictures.zip") as archive:
        return archive.add(name, out.getvalue(), *image.size)


def context(folder: Path, url: str, owner: str = "first", **openai: Any) -> StageContext:
    """A run of annotate on the store in ``folder``; ``owner`` is the computation."""
    ingested = folder / "ingest"
    if not ingested.exists():
        ingested.mkdir(parents=True)
        picture(ingested, Image.new("RGB", (80, 60), (9, 90, 30)))
    settings = {
        "base_url": url,
        "api_key_env": VARIABLE,
        "model": "test",
        "timeout_s": 5.0,
        "max_retries": 3,
        "concurrency": 2,
        **openai,
    }
    annotate = AnnotateConfig(by="openai", openai=OpenAIConfig.model_validate(settings))
    store = Store.open(str(folder / "store"))
    return StageContext(
        config=PipelineConfig(annotate=annotate),
        inputs={"ingest": ingested},
        out=folder,
        work=store.workspace("annotate", owner, generation="0"),
        progress=Told(),
        shared=store.notes("annotate", owner),
        cache=store.cache("annotate"),
    )


def drive_all(
    run: StageContext, procedures: Iterator[Any] | list[Any]
) -> tuple[dict[int, Any], BudgetAccount]:
    """Drive to the end; results by position, and the budget account as it was then."""
    with open_account(run) as account, closing(drive(procedures, run, account)) as results:
        return dict(results), account
