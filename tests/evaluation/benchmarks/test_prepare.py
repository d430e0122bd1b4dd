"""What holds for every benchmark: the drawn one, keys, counts, bytes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from preparing import config_of, prepared
from published_files import picture, write_infographics, write_vstar

from pixel_core.config import BenchmarksConfig, PipelineConfig
from pixel_core.errors import ConfigError, DataError
from pixel_core.evaluation.benchmarks import prepare
from pixel_core.evaluation.benchmarks.facts import read_facts
from pixel_core.evaluation.benchmarks.registry import BENCHMARKS, layout_of
from pixel_core.media.archive import PictureArchiveWriter
from pixel_core.records import Picture, Provenance, Seed, Split, read_jsonl, write_jsonl
from pixel_core.rollout.queries import read_queries
from pixel_core.workflow.runner import run_stage
from pixel_core.workflow.stage import SilentProgress
from pixel_core.workflow.store import Store
from pixel_core.workflow.table import benchmark_stages, questions_stage


def own_questions(folder: Path) -> Path:
    """An ingest artifact: of each split three questions, two of them on one picture."""
    folder.mkdir()
    with PictureArchiveWriter(folder / "pictures.zip") as archive:
        pictures = {
            name: archive.add(f"{name}.png", picture(n, "PNG"), 48, 32)
            for n, name in enumerate(f"{split}-{i}" for split in Split for i in range(2))
        }
    seeds = [
        _seed(f"{split}-{n}", split, pictures[f"{split}-{n // 2}"])
        for n in range(3)
        for split in Split
    ]
    seeds.append(
        seeds[2].model_copy(update={"id": "not-yet-asked", "question": "", "answers": ()})
    )
    write_jsonl(folder / "seeds.jsonl", seeds)
    return folder


def _seed(id: str, split: Split, shown: Picture) -> Seed:
    return Seed(
        id=id,
        split=split,
        question="Which?",
        answers=("red",),
        choices=("red", "green", "blue", "grey"),
        pictures=(shown,),
        kind="colour",
        provenance=Provenance(source="drawn"),
    )


def test_the_runs_own_test_questions(tmp_path: Path) -> None:
    inputs = {"ingest": own_questions(tmp_path / "ingest")}
    made = prepared(tmp_path / "out", "drawn", inputs)
    before = [
        seed
        for seed in read_jsonl(inputs["ingest"] / "seeds.jsonl", Seed)
        if seed.split is Split.TEST and seed.asks
    ]
    assert made.seeds == before
    assert made.facts.pictures == 2
    assert made.facts.complete
    assert made.facts.published is None
    # As an ingest artifact it can be asked.
    assert len(read_queries(made.out, Split.TEST)) == 3
    assert made.pictures().load(made.seeds[0].pictures[0]).size == (48, 32)
    one = prepared(tmp_path / "one", "drawn", inputs, limit=1, shuffle_seed=5)
    assert [seed.id for seed in one.seeds] == [before[0].id]
    assert one.facts.shuffle_seed == 5


def test_a_question_counts_once_in_where_the_right_option_stands(tmp_path: Path) -> None:
    ingest = own_questions(tmp_path / "ingest")
    seeds = list(read_jsonl(ingest / "seeds.jsonl", Seed))
    both = [seed.model_copy(update={"answers": ("grey", "green")}) for seed in seeds]
    write_jsonl(ingest / "seeds.jsonl", [seed for seed in both if seed.question])
    made = prepared(tmp_path / "out", "drawn", {"ingest": ingest})
    assert made.facts.keys is not None
    assert made.facts.keys.put == {"A": 0, "B": 3, "C": 0, "D": 0}


def test_without_test_questions_there_is_no_drawn_benchmark(tmp_path: Path) -> None:
    ingest = own_questions(tmp_path / "ingest")
    kept = [
        seed
        for seed in read_jsonl(ingest / "seeds.jsonl", Seed)
        if seed.split is not Split.TEST
    ]
    write_jsonl(ingest / "seeds.jsonl", kept)
    with pytest.raises(DataError, match=r"benchmarks\.names"):
        prepared(tmp_path / "out", "drawn", {"ingest": ingest})


def test_the_same_files_make_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    one = write_vstar(tmp_path / "one")
    other = tmp_path / "somewhere" / "else"
    shutil.copytree(one, other)
    first = prepared(tmp_path / "a", "vstar", local=str(one), shuffle_seed=1)
    second = prepared(tmp_path / "b", "vstar", local=str(other), shuffle_seed=1)
    assert first.files() == second.files()


def _fingerprint(**settings: Any) -> dict[str, Any]:
    return prepare.fingerprint(config_of("infographicsvqa", **settings), "infographicsvqa")


def test_the_key_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
    one = write_infographics(tmp_path / "one", count=30)
    other = tmp_path / "other"
    shutil.copytree(one, other)
    before = _fingerprint(local=str(one), incomplete=True)
    assert _fingerprint(local=str(other), incomplete=True) == before
    # Not asked about: a file beside it, and a time.
    (one / "notes.txt").write_text("mine")
    for path in one.rglob("*.jpeg"):
        os.utime(path, (1, 1))
    assert _fingerprint(local=str(one), incomplete=True) == before
    (one / "infographicsvqa_images" / "3.jpeg").write_bytes(picture(77))
    changed = _fingerprint(local=str(one), incomplete=True)
    assert changed != before
    questions = one / "infographicsVQA_val_v1.0_withQT.json"
    questions.write_text(questions.read_text().replace("platform 7", "platform seven"))
    assert _fingerprint(local=str(one), incomplete=True) not in (before, changed)


def test_a_dataset_on_the_hub_is_its_commit() -> None:
    commit = "a" * 40
    default = _fingerprint()
    assert default["dataset"] == "lmms-lab/DocVQA"
    assert len(default["commit"]) == 40
    assert _fingerprint(revision=commit) == {"dataset": "lmms-lab/DocVQA", "commit": commit}
    # The commit that is known is another dataset's.
    with pytest.raises(DataError, match=r"benchmarks\.infographicsvqa\.revision is empty"):
        _fingerprint(name="somebody/else")


def test_every_benchmark_can_be_planned_and_named() -> None:
    assert list(BENCHMARKS) == [
        name for name in BenchmarksConfig.model_fields if name in BENCHMARKS
    ]
    for name, row in BENCHMARKS.items():
        config = PipelineConfig(benchmarks=BenchmarksConfig(names=(name,)))
        assert questions_stage(name) in [stage.name for stage in benchmark_stages(config)]
        for layout in row.layouts:
            assert layout_of(row, layout).reader.partition(":")[2].endswith("Reader")
    with pytest.raises(ConfigError, match="own"):
        layout_of(BENCHMARKS["hrbench_8k"], "original")


class _Interrupted(SilentProgress):
    def update(self, done: int, total: int, **metrics: float) -> None:
        if done >= total // 2:
            raise KeyboardInterrupt


def test_after_an_interruption_it_is_made_as_if_nothing_had_been(tmp_path: Path) -> None:
    config = config_of("vstar", local=str(write_vstar(tmp_path / "vstar")))
    stage = benchmark_stages(config)[0]
    store = Store.open(str(tmp_path / "store"))
    with pytest.raises(KeyboardInterrupt):
        run_stage(stage, config, {}, store, progress=_Interrupted())
    made = run_stage(stage, config, {}, store)
    calm = run_stage(stage, config, {}, Store.open(str(tmp_path / "calm")))
    assert made.status == "built"
    assert made.artifact.digest == calm.artifact.digest
    assert run_stage(stage, config, {}, store).status == "reused"


def test_a_file_that_changes_meanwhile_is_not_stored(tmp_path: Path) -> None:
    local = write_vstar(tmp_path / "vstar")
    config = config_of("vstar", local=str(local))

    class Meddling(SilentProgress):
        def update(self, done: int, total: int, **metrics: float) -> None:
            (local / "relative_position" / "sa_37.jpg").write_bytes(picture(99))

    store = Store.open(str(tmp_path / "store"))
    with pytest.raises(DataError, match="changed while it was"):
        run_stage(benchmark_stages(config)[0], config, {}, store, progress=Meddling())
    assert store.latest("benchmark_vstar") is None


def test_an_unreadable_benchmark_json_is_told(tmp_path: Path) -> None:
    (tmp_path / "benchmark.json").write_text('{"name": "vstar"}')
    with pytest.raises(DataError, match="prepare the benchmark again"):
        read_facts(tmp_path)
