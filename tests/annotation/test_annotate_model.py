"""Annotation by a model, end to end: real HTTP, and an endpoint that looks at the pictures."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from drawn_seeds import context_on, write_ingest

from pixel_core.annotation import annotate, prompt_files
from pixel_core.config import DrawnConfig, IngestConfig, PipelineConfig
from pixel_core.dev.annotator.script import Fault, Rule, Script
from pixel_core.dev.annotator.server import AnnotatorServer
from pixel_core.errors import BudgetSpent, ConfigError, DataError, EndpointError
from pixel_core.records import (
    Annotation,
    Box,
    Cue,
    SecondLook,
    Seed,
    Split,
    read_jsonl,
    write_jsonl,
)
from pixel_core.seeds import ingest
from pixel_core.stage import SilentProgress, StageContext
from pixel_core.store.local_storage import LocalStorage
from pixel_core.store.workspace import StoredWorkspace

KEY = "sk-test-4f1d0c2b9a8e7766"
SEEDS = 12

Make = Callable[..., StageContext]


class Told(SilentProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.updates: list[tuple[int, int, dict[str, float]]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def update(self, done: int, total: int, **metrics: float) -> None:
        self.updates.append((done, total, metrics))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AnnotatorServer]:
    monkeypatch.setenv("TEST_ANNOTATOR_KEY", KEY)
    with AnnotatorServer(key=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve digit questions; of the third and the last one the split is test, with a cue."""
    folder = tmp_path_factory.mktemp("drawn") / "ingest"
    seeds = write_ingest(folder, SEEDS)
    for place in (2, SEEDS - 1):
        cue = Cue(box=Box(x1=1, y1=2, x2=30, y2=40))
        held_out = {"split": Split.TEST, "cue": cue}
        seeds[place] = seeds[place].model_copy(update=held_out)
    write_jsonl(folder / "seeds.jsonl", seeds)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos") / "ingest"
    write_ingest(folder, 4, asking=False)
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn videos, four of them to train on, whose cues the source knows."""
    folder = tmp_path_factory.mktemp("clips") / "ingest"
    folder.mkdir()
    world = DrawnConfig(train=4, validation=1, test=1, video_share=1.0)
    config = PipelineConfig(ingest=IngestConfig(drawn=world))
    unused = StoredWorkspace(LocalStorage(folder.parent / "store"), "work/ingest", "0")
    ingest.run(StageContext(config, {}, folder, unused, SilentProgress()))
    return folder


@pytest.fixture
def make(tmp_path: Path, server: AnnotatorServer, drawn: Path) -> Make:
    """Contexts on one store, as the runs before and after a crash are."""

    def made(folder: Path = drawn, store: str = "store", **openai: object) -> StageContext:
        settings = {"timeout_s": 60.0, **openai}  # the machine may be busy
        return context_on(folder, tmp_path / store, server.url, Told(), **settings)

    return made


def told(context: StageContext) -> Told:
    assert isinstance(context.progress, Told)
    return context.progress


def written(context: StageContext) -> list[Annotation]:
    return list(read_jsonl(context.out / annotate.ANNOTATIONS, Annotation))


def asked(server: AnnotatorServer) -> Counter[str]:
    """Requests that arrived, by the schema they asked for."""
    return Counter(entry.schema for entry in server.journal.entries("chat"))


def behave(server: AnnotatorServer, *rules: Rule) -> None:
    server.behave(Script(rules=rules))


def test_questions_about_small_things_need_the_zoom_and_about_large_ones_do_not(
    make: Make, server: AnnotatorServer
) -> None:
    context = make()
    metrics = annotate.run(context)
    seeds = list(read_jsonl(context.inputs["ingest"] / "seeds.jsonl", Seed))
    found = written(context)
    assert [annotation.seed.id for annotation in found] == [seed.id for seed in seeds]
    for annotation in found:
        if annotation.seed.split is Split.TEST:  # not paid for, and as the source has it
            assert (annotation.author, annotation.look) == ("source", None)
            continue
        assert annotation.author == "openai:gpt-4o-test@locate-1,look-1"
        small = annotation.seed.kind == "digit_small"
        assert annotation.look is (SecondLook.NEEDS_ZOOM if small else SecondLook.EASY)
        assert annotation.cue is not None
        assert annotation.seed.subject in annotation.seed.question
        assert annotation.seed.answers[0] in annotation.local_view
    kinds = Counter(a.seed.kind for a in found if a.seed.split is Split.TRAIN)
    assert set(kinds) == {"digit_small", "digit_big"}
    assert (metrics["annotations"], metrics["located"], metrics["dropped"]) == (SEEDS, SEEDS, 0)
    assert metrics["looks"]["needs_zoom"]["count"] == kinds["digit_small"]
    assert metrics["looks"]["easy"]["count"] == kinds["digit_big"]
    assert metrics["requests"] == {"locate": 10, "look": 20}
    assert asked(server) == {"locate_box": 10, "look": 20}
    done, total, last = told(context).updates[-1]
    assert (done, total, last["needs_zoom"]) == (10, 10, kinds["digit_small"])
    assert last["usd"] > 0


def test_a_second_run_pays_nothing_and_writes_the_same_bytes(
    make: Make, server: AnnotatorServer
) -> None:
    first = make()
    metrics = annotate.run(first)
    bytes_before = (first.out / annotate.ANNOTATIONS).read_bytes()
    before = len(server.journal.entries("chat"))
    again = make(concurrency=1)
    assert annotate.run(again) == metrics
    assert (again.out / annotate.ANNOTATIONS).read_bytes() == bytes_before
    assert len(server.journal.entries("chat")) == before
    assert any("30 answers were on record" in note for note in told(again).notes)


def test_photos_get_questions_that_were_looked_at_twice(make: Make, photos: Path) -> None:
    context = make(photos)
    metrics = annotate.run(context)
    assert metrics["requests"]["propose"] == 4
    found = written(context)
    assert found
    for annotation in found:
        assert annotation.seed.question.startswith("Which digit is on the")
        assert len(set(annotation.seed.choices)) == 4
        assert annotation.seed.answers[0] in annotation.seed.choices
        assert annotation.look is not None
        assert annotation.author == "openai:gpt-4o-test@propose-1,look-1"


def test_the_sources_cues_are_kept_and_only_words_and_looks_are_paid_for(
    make: Make, server: AnnotatorServer, clips: Path
) -> None:
    context = make(clips)
    annotate.run(context)
    assert asked(server) == {"describe_cue": 4, "look": 8}
    for annotation in written(context):
        assert annotation.cue == annotation.seed.cue
        if annotation.seed.split is Split.TRAIN:
            assert annotation.author == "source+openai:gpt-4o-test@locate-1,look-1"
            assert annotation.look is SecondLook.NEEDS_ZOOM
            assert annotation.seed.answers[0] in annotation.local_view


def test_frames_are_found_where_the_source_does_not_say(
    make: Make, server: AnnotatorServer, clips: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    os.link(clips / "pictures.zip", folder / "pictures.zip")
    seeds = list(read_jsonl(clips / "seeds.jsonl", Seed))
    bare = {"cue": None, "subject": ""}
    write_jsonl(folder / "seeds.jsonl", [seed.model_copy(update=bare) for seed in seeds])
    context = make(folder)
    annotate.run(context)
    assert asked(server) == {"locate_frames": 4, "look": 8}
    for seed, annotation in zip(seeds, written(context), strict=True):
        if seed.split is Split.TRAIN:
            assert annotation.cue == seed.cue
            assert annotation.look is SecondLook.NEEDS_ZOOM


def test_without_a_second_look_half_of_nothing_is_asked(
    make: Make, server: AnnotatorServer
) -> None:
    context = make(verify={"votes": 0})
    metrics = annotate.run(context)
    assert asked(server) == {"locate_box": 10}
    assert metrics["looks"] == {}
    assert all(annotation.look is None for annotation in written(context))


def test_an_annotator_that_finds_the_wrong_place_is_caught_by_the_second_look(
    make: Make, server: AnnotatorServer
) -> None:
    # Every other seed, about, gets a box somewhere else.
    behave(server, Rule(do=Fault.WRONG, schema_name="locate_box", rate=0.5))
    context = make()
    metrics = annotate.run(context)
    wrong = sum(e.fault == "wrong" for e in server.journal.entries("chat"))
    assert 0 < wrong < 10
    assert metrics["dropped_by"] == {"look_failed": wrong}
    assert metrics["looks"]["look_failed"]["count"] == wrong
    assert len(written(context)) == SEEDS - wrong


def test_useless_answers_are_counted_by_their_reason_and_drop_only_their_seed(
    make: Make, server: AnnotatorServer, drawn: Path
) -> None:
    seeds = [s for s in read_jsonl(drawn / "seeds.jsonl", Seed) if s.split is Split.TRAIN]
    faults = [
        (Fault.REFUSAL, "refused"),
        (Fault.CONTENT_POLICY, "refused"),
        (Fault.LENGTH, "truncated"),
        (Fault.SAY, "not_json"),
        (Fault.BOX_OUTSIDE, "place"),
    ]
    # Questions repeat between scenes: a fault befalls every seed with that question.
    questions = list(dict.fromkeys(seed.question for seed in seeds))[: len(faults)]
    chosen = dict(zip(questions, faults, strict=False))
    behave(
        server,
        *(
            Rule(do=fault, schema_name="locate", containing=question, content="well,")
            for question, (fault, _) in chosen.items()
        ),
        Rule(do=Fault.BOX_SWAPPED, schema_name="locate"),
    )
    context = make()
    metrics = annotate.run(context)
    expected = Counter(chosen[s.question][1] for s in seeds if s.question in chosen)
    assert metrics["dropped_by"] == dict(expected)
    spared = [seed.id for seed in seeds if seed.question not in chosen]
    kept = [a.seed.id for a in written(context) if a.seed.split is Split.TRAIN]
    assert kept == spared
    assert metrics["repaired"] == len(spared)
    assert metrics["asked_again"] == 2 * expected.total()


def test_an_answer_that_is_useless_once_is_asked_for_again(
    make: Make, server: AnnotatorServer
) -> None:
    behave(server, Rule(do=Fault.LENGTH, schema_name="locate", times=1))
    metrics = annotate.run(make())
    assert metrics["dropped"] == 0
    assert metrics["asked_again_by"] == {"truncated": 1}
    assert asked(server)["locate_box"] == 11


def test_nothing_usable_at_all_is_an_error(make: Make, server: AnnotatorServer) -> None:
    behave(server, Rule(do=Fault.REFUSAL))
    with pytest.raises(EndpointError, match=r"none of 10 train seeds.*'refused': 10"):
        annotate.run(make())


def test_a_new_seed_costs_only_itself(
    make: Make, server: AnnotatorServer, tmp_path: Path
) -> None:
    few, more = tmp_path / "few", tmp_path / "more"
    write_ingest(few, 4)
    write_ingest(more, 6)
    annotate.run(make(few))
    before = asked(server)
    context = make(more)
    annotate.run(context)
    assert asked(server) - before == {"locate_box": 2, "look": 4}
    assert len(written(context)) == 6


@pytest.fixture
def second_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Prompts with a version 2 of each task: other words."""
    root = tmp_path / "prompts"
    for source in prompt_files.ROOT.rglob("*.jinja"):  # type: ignore[attr-defined]
        task, version, name = source.relative_to(prompt_files.ROOT).parts  # type: ignore[arg-type]
        for number, more in ((version, ""), ("2", "\nTake your time.")):
            target = root / task / number / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source.read_text() + more)
    monkeypatch.setattr(prompt_files, "ROOT", root)
    prompt_files.prompts_of.cache_clear()
    yield
    prompt_files.prompts_of.cache_clear()


@pytest.mark.usefixtures("second_versions")
def test_a_changed_prompt_version_asks_only_that_again(
    make: Make, server: AnnotatorServer
) -> None:
    annotate.run(make())
    for versions, paid in (
        ({"look": "2"}, {"look": 20}),
        # The same boxes are found, so what was looked at with version 2 is known.
        ({"look": "2", "locate": "2"}, {"locate_box": 10}),
        ({"look": "2", "locate": "2", "propose": "2"}, {}),
        ({}, {}),
    ):
        before = asked(server)
        context = make(prompts=versions)
        annotate.run(context)
        assert asked(server) - before == paid
        look, locate = versions.get("look", "1"), versions.get("locate", "1")
        assert written(context)[0].author == f"openai:gpt-4o-test@locate-{locate},look-{look}"


def test_votes_are_asked_anew_and_a_second_model_is_another_ledger_entry(
    make: Make, server: AnnotatorServer
) -> None:
    annotate.run(make())
    before = asked(server)
    verify = {"votes": 3, "whole_pixels": 112 * 112}
    annotate.run(make(verify=verify))
    assert asked(server) - before == {"look": 40}  # two of three votes decide
    before = asked(server)
    annotate.run(make(model="gpt-4o-other"))
    assert asked(server) - before == {"locate_box": 10, "look": 20}


def test_a_spent_budget_stops_with_everything_kept_and_goes_on_when_raised(
    make: Make, server: AnnotatorServer
) -> None:
    free = make(store="other")
    annotate.run(free)
    usd = told(free).updates[-1][2]["usd"]
    server_before = asked(server).total()

    short = make(budget_usd=usd / 2)
    with pytest.raises(BudgetSpent, match="budget_usd"):
        annotate.run(short)
    assert not (short.out / annotate.ANNOTATIONS).exists()
    assert any(
        "of 10 seeds are annotated, and every answer is kept" in n for n in told(short).notes
    )
    paid = asked(server).total() - server_before
    assert 0 < paid < 30

    annotate.run(make(budget_usd=2 * usd))
    assert asked(server).total() - server_before == 30
    assert (short.out / annotate.ANNOTATIONS).read_bytes() == (
        free.out / annotate.ANNOTATIONS
    ).read_bytes()


def test_batch_mode_writes_the_same_bytes(make: Make, server: AnnotatorServer) -> None:
    live, batch = make(), make(store="batches", mode="batch")
    assert annotate.run(live) == annotate.run(batch)
    assert (live.out / annotate.ANNOTATIONS).read_bytes() == (
        batch.out / annotate.ANNOTATIONS
    ).read_bytes()
    assert len(server.journal.entries("line")) == 30


def test_held_out_seeds_without_a_question_stop_the_run_before_anything_is_paid(
    make: Make, server: AnnotatorServer, photos: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "held-out"
    folder.mkdir()
    os.link(photos / "pictures.zip", folder / "pictures.zip")
    seeds = list(read_jsonl(photos / "seeds.jsonl", Seed))
    seeds[1] = seeds[1].model_copy(update={"split": Split.TEST})
    write_jsonl(folder / "seeds.jsonl", seeds)
    with pytest.raises(DataError, match=r"1 of 4 seeds have no question: seed-00001 \(test\)"):
        annotate.run(make(folder))
    assert not asked(server)


def test_no_train_seed_needs_no_endpoint(make: Make, drawn: Path, tmp_path: Path) -> None:
    folder = tmp_path / "held-out"
    folder.mkdir()
    os.link(drawn / "pictures.zip", folder / "pictures.zip")
    seeds = [s for s in read_jsonl(drawn / "seeds.jsonl", Seed) if s.split is Split.TEST]
    write_jsonl(folder / "seeds.jsonl", seeds)
    context = make(folder, base_url="http://127.0.0.1:9/v1")
    assert annotate.run(context)["asked"] == 0
    assert [annotation.seed for annotation in written(context)] == seeds


def test_an_unknown_prompt_version_is_told_before_anything_is_paid(
    make: Make, server: AnnotatorServer
) -> None:
    with pytest.raises(ConfigError, match=r"look '7' does not exist; known: 1"):
        annotate.run(make(prompts={"look": "7"}))
    assert not asked(server)


def test_the_key_is_in_nothing_that_is_written_or_said(
    make: Make, server: AnnotatorServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    # An endpoint that repeats what it was sent: in an answer, and in a refusal to serve.
    text = {
        "valid": True,
        "picture": 1,
        "box": [0.1, 0.1, 0.3, 0.3],
        "subject": "the card",
        "whole_view": f"I see Bearer {KEY} and cards.",
        "local_view": f"Here is {KEY} again.",
    }
    behave(server, Rule(do=Fault.SAY, content=json.dumps(text), schema_name="locate"))
    context = make(verify={"votes": 0})
    annotate.run(context)
    assert "again." in written(context)[0].local_view
    said = [*told(context).notes, caplog.text, *map(repr, (context.config, context.shared))]
    assert KEY not in "".join(said)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
