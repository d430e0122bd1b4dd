"""What annotating by a model asks for, and pays for, a second time; and what it never tells."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from annotate_runs import (
    KEY,
    Make,
    asked,
    behave,
    told,
    written,
)
from drawn_seeds import write_ingest

from pixel_core.data.annotation import prompt_files
from pixel_core.data.annotation import stage as annotate
from pixel_core.dev.annotator.script import ScriptedFault, ScriptRule
from pixel_core.dev.annotator.server import AnnotatorServer
from pixel_core.errors import BudgetSpent, ConfigError, DataError
from pixel_core.records import Seed, Split, read_jsonl, write_jsonl


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
    behave(
        server, ScriptRule(do=ScriptedFault.SAY, content=json.dumps(text), schema_name="locate")
    )
    context = make(verify={"votes": 0})
    annotate.run(context)
    assert "again." in written(context)[0].local_view
    said = [*told(context).notes, caplog.text, *map(repr, (context.config, context.shared))]
    assert KEY not in "".join(said)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
