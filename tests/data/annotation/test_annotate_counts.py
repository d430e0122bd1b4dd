"""The counts of a run, and results put back in order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import said, seed

from pixel_core.data.annotation.by_model import MAX_KINDS, InOrder, OutcomeCounts
from pixel_core.data.annotation.outcome import AnnotationFault, AnnotationOutcome, ReplyTally
from pixel_core.data.annotation.requests import RequestTask
from pixel_core.data.annotation.train_seeds import numbered_train, survey
from pixel_core.errors import DataError
from pixel_core.records import Annotation, SecondLook, Split, write_jsonl


def kept(look: SecondLook | None, kind: str = "sign") -> AnnotationOutcome:
    tally = ReplyTally()
    tally.count(RequestTask.LOCATE, said("x"))
    tally.count(RequestTask.LOOK, said("x"))
    return AnnotationOutcome(
        kind, Annotation(seed=seed(), cue=None, author="x", look=look), None, tally
    )


def dropped(reason: AnnotationFault, kind: str = "sign") -> AnnotationOutcome:
    tally = ReplyTally(repaired=1)
    tally.count(RequestTask.LOCATE, said("x"))
    tally.asked_again[AnnotationFault.LEAK] += 1
    return AnnotationOutcome(kind, None, reason, tally)


def test_every_seed_is_counted_by_what_became_of_it() -> None:
    summary = OutcomeCounts()
    for outcome in (
        *[kept(SecondLook.NEEDS_ZOOM)] * 6,
        *[kept(SecondLook.EASY, "count")] * 2,
        kept(None, ""),
        *[dropped(AnnotationFault.LOOK_FAILED)] * 2,
        dropped(AnnotationFault.REFUSED, "count"),
    ):
        summary.add(outcome)
    metrics = summary.metrics()
    assert metrics["asked"] == 12
    assert metrics["dropped_by"] == {"look_failed": 2, "refused": 1}
    assert metrics["looks"]["n"] == 10
    needs_zoom = metrics["looks"]["needs_zoom"]
    assert (needs_zoom["count"], needs_zoom["share"]) == (6, 0.6)
    # The Wilson interval of 6 of 10, from a table.
    assert (needs_zoom["low"], needs_zoom["high"]) == (0.3127, 0.8318)
    assert metrics["by_kind"] == {
        "(none)": {"asked": 1, "kept": 1},
        "count": {"asked": 3, "dropped": 1, "easy": 2, "kept": 2, "refused": 1},
        "sign": {"asked": 8, "dropped": 2, "kept": 6, "look_failed": 2, "needs_zoom": 6},
    }
    assert metrics["requests"] == {"locate": 12, "look": 9}
    assert (metrics["asked_again_by"], metrics["repaired"]) == ({"leak": 3}, 3)
    assert (metrics["prompt_tokens"], metrics["completion_tokens"]) == (2100, 420)


def test_without_a_second_look_there_are_no_shares() -> None:
    summary = OutcomeCounts()
    summary.add(kept(None))
    assert summary.metrics()["looks"] == {}


def test_very_many_kinds_are_summed_up() -> None:
    summary = OutcomeCounts()
    for number in range(MAX_KINDS + 60):
        summary.add(kept(None, f"kind-{number:03}"))
    by_kind = summary.metrics()["by_kind"]
    assert len(by_kind) == MAX_KINDS + 1
    assert by_kind["(others)"] == {"asked": 60, "kept": 60}


@settings(max_examples=25)
@given(st.dictionaries(st.integers(0, 60), st.binary(max_size=40)))
def test_what_comes_in_any_order_is_read_in_any_other(
    tmp_path_factory: pytest.TempPathFactory, found: dict[int, bytes]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    before = sorted(folder.iterdir())
    with InOrder(folder) as results:
        for number, data in found.items():
            results.put(number, data)
            assert results.get(number) == data
        assert [results.get(number) for number in range(70)] == [
            found.get(number) for number in range(70)
        ]
        for number in found:
            with pytest.raises(ValueError, match="put before"):
                results.put(number, b"again")
        assert sorted(folder.iterdir()) == before  # nothing that could be taken for output


def test_seeds_nobody_can_ask_a_question_for_are_all_told_before_anything_is_paid(
    tmp_path: Path,
) -> None:
    path = tmp_path / "seeds.jsonl"
    bare = {"question": "", "answers": ()}
    train = [seed(id=f"t{n}", **bare) for n in range(4)]
    held_out = [seed(id=f"v{n}", split=Split.VALIDATION, **bare) for n in range(7)]
    write_jsonl(path, [*train, seed(id="q", split=Split.TEST)])
    assert survey(path, by_model=True).train == 4
    with pytest.raises(DataError, match=r"4 of 5 seeds .*t0 \(train\).*annotate\.by=openai"):
        survey(path, by_model=False)
    write_jsonl(path, [*train, *held_out])
    with pytest.raises(DataError, match=r"7 of 11 .*v0 \(validation\).*and 2 more; held-out"):
        survey(path, by_model=True)


def test_train_seeds_are_numbered_among_themselves(tmp_path: Path) -> None:
    path = tmp_path / "seeds.jsonl"
    splits = (Split.TEST, Split.TRAIN, Split.VALIDATION, Split.TRAIN)
    write_jsonl(path, [seed(id=str(n), split=split) for n, split in enumerate(splits)])
    numbered = [(number, seed.id) for number, seed in numbered_train(path)]
    assert numbered == [(None, "0"), (0, "1"), (None, "2"), (1, "3")]
