"""Annotation by a model, end to end: real HTTP, and an endpoint that looks at the pictures."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from annotate_runs import (
    SEEDS,
    Make,
    asked,
    behave,
    told,
    written,
)

from pixel_core.data.annotation import stage as annotate
from pixel_core.dev.annotator.script import ScriptedFault, ScriptRule
from pixel_core.dev.annotator.server import AnnotatorServer
from pixel_core.errors import EndpointError
from pixel_core.records import SecondLook, Seed, Split, read_jsonl, write_jsonl


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
    behave(server, ScriptRule(do=ScriptedFault.WRONG, schema_name="locate_box", rate=0.5))
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
        (ScriptedFault.REFUSAL, "refused"),
        (ScriptedFault.CONTENT_POLICY, "refused"),
        (ScriptedFault.LENGTH, "truncated"),
        (ScriptedFault.SAY, "not_json"),
        (ScriptedFault.BOX_OUTSIDE, "place"),
    ]
    # Questions repeat between scenes: a fault befalls every seed with that question.
    questions = list(dict.fromkeys(seed.question for seed in seeds))[: len(faults)]
    chosen = dict(zip(questions, faults, strict=False))
    behave(
        server,
        *(
            ScriptRule(do=fault, schema_name="locate", containing=question, content="well,")
            for question, (fault, _) in chosen.items()
        ),
        ScriptRule(do=ScriptedFault.BOX_SWAPPED, schema_name="locate"),
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
    behave(server, ScriptRule(do=ScriptedFault.LENGTH, schema_name="locate", times=1))
    metrics = annotate.run(make())
    assert metrics["dropped"] == 0
    assert metrics["asked_again_by"] == {"truncated": 1}
    assert asked(server)["locate_box"] == 11


def test_nothing_usable_at_all_is_an_error(make: Make, server: AnnotatorServer) -> None:
    behave(server, ScriptRule(do=ScriptedFault.REFUSAL))
    with pytest.raises(EndpointError, match=r"none of 10 train seeds.*'refused': 10"):
        annotate.run(make())


def test_a_share_of_dropped_seeds_stops_and_a_smaller_one_is_told(
    make: Make, server: AnnotatorServer, drawn: Path
) -> None:
    seeds = [s for s in read_jsonl(drawn / "seeds.jsonl", Seed) if s.split is Split.TRAIN]
    question = seeds[0].question
    lost = sum(seed.question == question for seed in seeds)
    assert lost < len(seeds)
    behave(
        server, ScriptRule(do=ScriptedFault.REFUSAL, schema_name="locate", containing=question)
    )
    with pytest.raises(EndpointError, match=r"max_dropped_share \(0\) of all 10"):
        annotate.run(make(max_dropped_share=0.0))
    # Nothing is lost: with another bound the rest is asked.
    context = make(max_dropped_share=0.95)
    warning = annotate.run(context)["warning"]
    assert warning.startswith(f"{lost} of 10 train seeds were dropped because no answer")
    assert f"warning: {warning}" in told(context).notes
    assert json.loads(context.work.get("costs.json") or b"{}")["dropped_seeds"] == lost


def test_seeds_that_are_rejected_are_no_outage(make: Make, server: AnnotatorServer) -> None:
    behave(server, ScriptRule(do=ScriptedFault.WRONG, schema_name="locate", rate=0.5))
    metrics = annotate.run(make(max_dropped_share=0.0))
    assert metrics["dropped"] > 0
    assert "warning" not in metrics
