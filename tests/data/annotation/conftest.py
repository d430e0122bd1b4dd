"""A small ingest artifact and a stage context whose workspace is the real store's."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

# Names a test asks for by argument; they live in a file of their own.
from annotate_runs import clips, drawn, make, photos, server
from PIL import Image

from pixel_core.config import AnnotateConfig, OpenAIConfig, PipelineConfig
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.records import Box, Cue, Provenance, Seed, Split, write_jsonl
from pixel_core.workflow.stage import SilentProgress, StageContext
from pixel_core.workflow.store.local_storage import LocalStorage
from pixel_core.workflow.store.workspace import StoredWorkspace, cache_folder, open_notes

__all__ = ["clips", "drawn", "make", "photos", "server"]

KEY = "sk-test-4f1d0c2b9a8e7766"
VARIABLE = "TEST_ANNOTATOR_KEY"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


@pytest.fixture
def ingested(tmp_path: Path) -> Path:
    """Four train seeds without a cue, and a test seed with one, on 80x60 pictures."""
    folder = tmp_path / "ingest"
    folder.mkdir()
    seeds = []
    with PictureArchiveWriter(folder / "pictures.zip") as archive:
        for number in range(5):
            out = io.BytesIO()
            Image.new("RGB", (80, 60), (40 * number, 90, 30)).save(out, "PNG")
            held_out = number == 4
            seeds.append(
                Seed(
                    id=f"seed-{number}",
                    split=Split.TEST if held_out else Split.TRAIN,
                    question=f"what does sign {number} say?",
                    answers=(str(number),),
                    pictures=(archive.add(f"{number}.png", out.getvalue(), 80, 60),),
                    cue=Cue(box=Box(x1=1, y1=2, x2=30, y2=40)) if held_out else None,
                    provenance=Provenance(source="test"),
                )
            )
    write_jsonl(folder / "seeds.jsonl", seeds)
    return folder


@pytest.fixture
def context_for(tmp_path: Path, ingested: Path) -> Callable[..., StageContext]:
    """Contexts that share one store, as the runs before and after a crash do. No second
    look, unless ``openai`` has one."""
    storage = LocalStorage(tmp_path / "store")
    runs = iter(range(1000))

    def make(url: str, **openai: object) -> StageContext:
        out = tmp_path / f"out-{next(runs)}"
        out.mkdir()
        settings = OpenAIConfig.model_validate(
            {
                "base_url": url,
                "api_key_env": VARIABLE,
                "model": "test",
                "timeout_s": 5.0,
                "max_retries": 3,
                "concurrency": 2,
                "verify": {"votes": 0},
                **openai,
            }
        )
        config = PipelineConfig(annotate=AnnotateConfig(by="openai", openai=settings))
        return StageContext(
            config=config,
            inputs={"ingest": ingested},
            out=out,
            work=StoredWorkspace(storage, "work/annotate", "0"),
            progress=SilentProgress(),
            shared=open_notes(storage, "annotate", "a-test"),
            cache=cache_folder(storage, "annotate"),
        )

    return make
