"""Benchmark answers by a real model: kept as they are made, whoever makes them."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import answer_stage
import pytest
from chat_server import MODEL, serving
from memorised import memorised
from PIL import Image
from real_runs import members

from pixel_core.config import EndpointEngineConfig
from pixel_core.errors import ConfigError, EndpointError
from pixel_core.evaluation.benchmark_answers import Asking, BenchmarkAnswerer
from pixel_core.evaluation.chunks import chunks_of, work_through
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.models.engines import check_benchmark_answers
from pixel_core.models.loading import save_model
from pixel_core.records import (
    Picture,
    Provenance,
    Rollout,
    Seed,
    Split,
    read_jsonl,
    write_jsonl,
)
from pixel_core.rollout.queries import read_queries
from pixel_core.workflow.parallel.team import WorkerGroup
from pixel_core.workflow.stage import LocalFolder, SilentProgress, StageContext
from pixel_core.workflow.store import Store

KEY = "sk-test-5d1f0c9e7b"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions that a model knows by heart, twice each, and the model: it answers one at
    once, zooms, mends a refused call, and chooses frames of a video."""
    made = tmp_path_factory.mktemp("root")
    known = memorised()
    for name in ("ingest", "model"):
        (made / name).mkdir()
    seeds = []
    with PictureArchiveWriter(made / "ingest" / "pictures.zip") as archive:
        for number in range(8):
            start = known.openings[number % 4]
            pictures = tuple(
                stored(archive, f"{number}/{place}.png", shown.image)
                for place, shown in enumerate(start.shown)
            )
            seeds.append(
                Seed(
                    id=f"q{number}",
                    split=Split.TEST,
                    question=start.query.question,
                    answers=start.query.answers,
                    pictures=pictures,
                    is_video=start.query.is_video,
                    provenance=Provenance(source="test"),
                )
            )
    write_jsonl(made / "ingest" / "seeds.jsonl", seeds)
    save_model(known.world.model, known.world.vocabulary.tokenizer, made / "model")
    return made


def stored(archive: PictureArchiveWriter, member: str, image: Image.Image) -> Picture:
    data = io.BytesIO()
    image.save(data, "PNG")
    return archive.add(member, data.getvalue(), *image.size)


@pytest.fixture(scope="module")
def alone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> StageContext:
    """All chunks answered by one process, with operations."""
    made = answer_stage.context(root, tmp_path_factory.mktemp("alone"), answer_stage.settings())
    here(made, Asking.of(made.config, True, ""), root)
    answer_stage.answer(made)
    return made


def here(made: StageContext, asking: Asking, root: Path) -> None:
    """Answer all chunks in this process, so that the stage only collects them."""
    queries = read_queries(root / "ingest", Split.TEST)
    chunks = chunks_of("answers", queries, made.config.benchmarks.answers.chunk)
    opened = (asking, LocalFolder(root / "ingest"), LocalFolder(root / "model"))
    team = WorkerGroup(0, 1, (0,), 1, SilentProgress())
    work_through(team, BenchmarkAnswerer, opened, made.work, chunks)


def written(made: StageContext) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in made.out.iterdir()}


def rollouts(made: StageContext, name: str = "answers") -> list[Rollout]:
    return list(read_jsonl(made.out / f"{name}.jsonl", Rollout))


@pytest.mark.slow
def test_a_killed_team_loses_at_most_the_chunks_it_was_on(
    root: Path, alone: StageContext, tmp_path: Path
) -> None:
    program = subprocess.Popen(
        [sys.executable, answer_stage.__file__, str(root), str(tmp_path)],
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    work = Store.open(str(tmp_path / "store")).workspace("answers", "0" * 64)
    try:
        kept = answered_when(work, program)
        program.send_signal(signal.SIGKILL)
        program.wait()
        deadline = time.monotonic() + 30
        while members(program.pid):  # workers end with the run that started them
            assert time.monotonic() < deadline, members(program.pid)
            time.sleep(0.02)
    finally:
        for process in members(program.pid):
            os.kill(int(process.partition(":")[0]), signal.SIGKILL)
    kept |= set(work.names())
    before = {name: work.get(name) for name in kept}
    counted = Counted(work)
    again = answer_stage.context(root, tmp_path, answer_stage.settings(), space=counted)
    here(again, Asking.of(again.config, True, ""), root)
    answer_stage.answer(again)  # collects them; all are there
    assert written(again) == written(alone)
    done = {name for name in kept if not name.endswith(".probe")}
    assert done, "it was killed after something was kept"
    assert not done & set(counted.puts), "what was kept is not asked again"
    assert {name: work.get(name) for name in kept} == before


def answered_when(work: Any, program: subprocess.Popen[bytes]) -> set[str]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if names := {name for name in work.names() if not name.endswith(".probe")}:
            return names
        assert program.poll() is None, "it ended before anything was kept"
        time.sleep(0.002)
    raise AssertionError("nothing was answered in 120 s")


class Counted:
    """A workspace that remembers what is put."""

    def __init__(self, work: Any) -> None:
        self._work = work
        self.puts: list[str] = []

    def put(self, name: str, data: bytes) -> None:
        self.puts.append(name)
        self._work.put(name, data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)


def test_a_probe_of_every_answer_that_looked(alone: StageContext) -> None:
    answers, probe = rollouts(alone), rollouts(alone, "probe")
    looked = [one.query_id for one in answers if one.operations]
    assert looked == ["q1", "q2", "q3", "q5", "q6", "q7"]
    assert [one.query_id for one in probe] == looked
    assert {one.operations for one in probe} == {0}
    settings = json.loads(written(alone)["settings.json"])
    assert settings["dialogue"]["operations"] == "offered"
    assert settings["engine"] == {"kind": "embedded", "dtype": "float32"}
    assert settings["prompt"]["picture"]["after"].endswith("<|im_start|>assistant\n")


def test_without_operations_none_is_made_or_probed(root: Path, tmp_path: Path) -> None:
    made = answer_stage.context(root, tmp_path, answer_stage.settings())
    here(made, Asking.of(made.config, False, ""), root)
    metrics = answer_stage.answer(made, operations=False)
    assert {one.operations + one.failed_operations for one in rollouts(made)} == {0}
    assert (metrics["rapr"], "probed" in metrics) == (0.0, False)
    assert set(written(made)) == {"queries.jsonl", "answers.jsonl", "settings.json"}
    assert json.loads(written(made)["settings.json"])["dialogue"]["operations"] == "none"


@pytest.mark.parametrize("operations", [True, False])
def test_an_endpoint_is_a_row_and_its_calls_are_refused_where_none_is_offered(
    root: Path,
    alone: StageContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    operations: bool,
) -> None:
    monkeypatch.setenv("TEST_ROW_KEY", KEY)
    with serving(memorised().world) as (url, _):
        endpoint = EndpointEngineConfig(
            base_url=url, model=MODEL, api_key_env="TEST_ROW_KEY", in_flight=4
        )
        config = answer_stage.settings()
        section = config.benchmarks.model_copy(update={"endpoints": {"rival": endpoint}})
        config = config.model_copy(update={"benchmarks": section})
        made = answer_stage.context(root, tmp_path, config)
        answer_stage.answer(made, operations, "rival")
    answers = rollouts(made)
    kept = written(made)
    assert "probe.jsonl" not in kept, "an endpoint can't go on within a turn"
    if operations:
        assert kept["answers.jsonl"] == written(alone)["answers.jsonl"]
    else:
        refused = {step.error for one in answers for step in one.steps} - {""}
        assert refused == {"not_offered"}
        assert {one.operations for one in answers} == {0}
    assert json.loads(kept["settings.json"])["engine"] == {
        "kind": "endpoint",
        "endpoint": {"model": MODEL},
    }
    everything = b"".join(kept.values()) + b"".join(
        made.work.get(name) or b"" for name in made.work.names()
    )
    assert KEY.encode() not in everything
    assert url.encode() not in everything


def test_a_row_without_its_key_is_refused_by_its_own_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    row = '{base_url="http://127.0.0.1:9/v1",model="m",api_key_env="NO_SUCH_KEY"}'
    config = answer_stage.settings(f"benchmarks.endpoints.rival={row}")
    with pytest.raises(EndpointError, match=r"benchmarks\.endpoints\.rival\.api_key_env"):
        check_benchmark_answers(config)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (
            "benchmarks.answers.max_tokens=20",
            "does not fit the section dialogue.*max_tokens 20",
        ),
        (
            'benchmarks.answers.engine={kind="endpoint",endpoint={base_url="http://x/v1",'
            'model="m"}}',
            "middle of a turn, which an endpoint can't",
        ),
        ("dialogue.operations=none", "set benchmarks.notool"),
    ],
)
def test_settings_that_cannot_be_asked_are_refused_when_they_are_read(
    override: str, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        answer_stage.settings(override)


def test_very_large_pictures_are_answered_in_several_batches(
    root: Path, alone: StageContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same greedy answers; here the limit is four of the drawn pictures."""
    from pixel_core.evaluation import benchmark_answers

    queries = read_queries(root / "ingest", Split.TEST)
    (picture,) = queries[0].pictures
    pixels = 4 * picture.width * picture.height  # a video has four
    monkeypatch.setattr(benchmark_answers, "_PIXELS_AT_ONCE", pixels)
    config = answer_stage.settings("benchmarks.answers.chunk=5")
    made = answer_stage.context(root, tmp_path, config)
    opened: list[int] = []
    kept_open = benchmark_answers.AnsweringSession.open

    def watched(self: Any, queries: Any) -> Any:
        opened.append(len(queries))
        return kept_open(self, queries)

    monkeypatch.setattr(benchmark_answers.AnsweringSession, "open", watched)
    here(made, replace(Asking.of(config, True, ""), probe=False), root)
    assert opened == [3, 1, 1, 2, 1]
    answers = b"".join(made.work.get(name) or b"" for name in sorted(made.work.names()))
    assert answers == written(alone)["answers.jsonl"]
