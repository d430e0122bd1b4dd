"""Askers that leave, time that is over, engines that break: nobody else is touched."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from conducting import conducting, ended, known, texts
from memorised import memorised

from pixel_core.config import SamplingConfig
from pixel_core.errors import Busy, Cancelled, DataError, EngineFailed, TimedOut
from pixel_core.serving.answer import Answer
from pixel_core.serving.question import Question


def wait_until(what, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_no_more_wait_than_are_let_wait() -> None:
    with conducting(at_once=2, waiting=1) as (scheduler, engine):
        engine.go_on.clear()
        handles = [scheduler.submit(known(0)) for _ in range(3)]
        with pytest.raises(Busy, match=r"no more are taken: ask again later"):
            scheduler.submit(known(0))
        engine.go_on.set()
        assert [handle.answer().text for handle in handles] == ["7"] * 3
        assert scheduler.submit(known(0)).answer().text == "7"
        assert scheduler.counts().refused == 1
    assert max(engine.calls) <= 2


def test_an_asker_that_leaves_frees_its_place() -> None:
    with conducting(at_once=1, waiting=1) as (scheduler, engine):
        engine.go_on.clear()
        active = scheduler.submit(known(2))
        wait_until(lambda: engine.calls)
        waiting = scheduler.submit(known(0))
        waiting.cancel()
        assert isinstance(ended(waiting), Cancelled)
        third = scheduler.submit(known(0))  # the place in the line is free at once
        listening = active.events()
        engine.go_on.set()
        next(listening)
        listening.close()
        assert third.answer().text == "7"
        assert isinstance(ended(active), Cancelled)
        counts = scheduler.counts()
    assert (counts.cancelled, counts.answered) == (2, 1)
    assert sum(engine.calls) <= 3  # the three turns of the first were not all made


def test_an_asker_of_a_closed_event_loop_is_gone() -> None:
    with conducting() as (scheduler, engine):
        engine.go_on.clear()

        async def begin() -> None:
            handle = scheduler.submit(known(2))
            listening = handle.events_async()
            task = asyncio.ensure_future(anext(listening))
            await asyncio.sleep(0)
            task.cancel()

        asyncio.run(begin())
        engine.go_on.set()
        wait_until(lambda: scheduler.counts().cancelled == 1)
        assert scheduler.submit(known(0)).answer().text == "7"


def test_time_that_is_over_is_told_at_once() -> None:
    with conducting() as (scheduler, engine):
        engine.go_on.clear()
        handle = scheduler.submit(known(1, seconds=0.2))
        with pytest.raises(TimedOut, match=r"no answer within 0.2 s"):
            handle.answer()  # though the engine is still held
        engine.go_on.set()
        assert scheduler.submit(known(0, seconds=60)).answer().text == "7"
        wait_until(lambda: scheduler.counts().active == 0)
        assert scheduler.counts().timed_out == 1


def test_one_that_breaks_the_engine_ends_alone() -> None:
    bad = memorised().openings[1]
    query = bad.query.model_copy(update={"question": "poison?"})
    poisoned = Question(
        type(bad)(query, bad.shown, bad.visuals), memorised().world.prompts.dialogue
    )
    with conducting() as (scheduler, engine):
        engine.poison = {"poison"}
        engine.go_on.clear()
        held = scheduler.submit(known(0))
        wait_until(lambda: engine.calls)
        handles = [scheduler.submit(one) for one in (known(1), poisoned, known(2), known(3))]
        engine.go_on.set()
        got = [ended(handle) for handle in handles]
        assert held.answer().text == "7"
        assert scheduler.alive
    assert isinstance(got[1], EngineFailed)
    assert "RuntimeError: no such kernel" in str(got[1])
    assert [texts(one) for one in got if isinstance(one, Answer)] == memorised().turns[1:]


def test_an_engine_that_only_breaks_is_given_up_and_nobody_waits_for_ever() -> None:
    with conducting(at_once=1) as (scheduler, engine):
        engine.poison = {"?"}  # every question has one, the scheduler's own too
        engine.go_on.clear()  # or it may be given up before the last has asked
        handles = [scheduler.submit(known(0)) for _ in range(6)]
        engine.go_on.set()
        assert all(isinstance(ended(handle), EngineFailed) for handle in handles)
        wait_until(lambda: not scheduler.alive)
        with pytest.raises(EngineFailed, match=r"broke down 3 times in a row"):
            scheduler.submit(known(0))
        assert len(engine.calls) == 4  # three of the askers', one of the scheduler's
        wait_until(lambda: engine.closed)


def test_askers_alone_do_not_end_an_engine_that_answers_others() -> None:
    with conducting(at_once=1) as (scheduler, engine):
        engine.poison = {known(1).opening.query.question}
        assert engine.poison != {known(0).opening.query.question}
        for _ in range(7):
            assert isinstance(ended(scheduler.submit(known(1))), EngineFailed)
        assert scheduler.alive
        assert scheduler.submit(known(0)).answer().text == "7"


@pytest.mark.parametrize("how", [{"temperature": 1e-38}, {"temperature": 5e-324},
                                 {"top_p": 1e-310}, {"top_p": 5e-324}])  # fmt: skip
def test_the_least_values_that_are_accepted_are_answered(how: dict[str, float]) -> None:
    sampling = SamplingConfig(**how)
    with conducting() as (scheduler, _):
        answer = scheduler.submit(known(1, sampling=sampling, seed=3)).answer()
    # Both leave the likeliest token alone.
    assert texts(answer) == memorised().turns[1]


def test_a_question_without_room_for_an_answer_is_refused_by_its_length() -> None:
    dialogue = memorised().world.prompts.dialogue
    short = dialogue.model_copy(update={"max_tokens": 50})
    with conducting() as (scheduler, _):
        bad = scheduler.submit(Question(memorised().openings[1], short))
        good = scheduler.submit(known(0))
        assert good.answer().text == "7"
        with pytest.raises(DataError, match=r"takes \d+ tokens and 18 are allowed"):
            bad.answer()


def test_closing_ends_who_is_left_and_takes_no_more() -> None:
    with conducting(at_once=1) as (scheduler, engine):
        engine.go_on.clear()
        active, waiting = scheduler.submit(known(2)), scheduler.submit(known(0))
        wait_until(lambda: engine.calls)
        closing = threading.Thread(target=scheduler.close)
        closing.start()
        wait_until(lambda: not scheduler.alive)
        engine.go_on.set()
        closing.join(20)
        assert not closing.is_alive()
        assert isinstance(ended(active), Cancelled)
        assert isinstance(ended(waiting), Cancelled)
        with pytest.raises(EngineFailed, match="was closed: load it again"):
            scheduler.submit(known(0))
        scheduler.close()
    assert engine.closed
    assert engine.calls == [1]


def test_a_scheduler_that_was_never_asked_closes_its_engine() -> None:
    with conducting() as (scheduler, engine):
        scheduler.close()
    assert engine.closed
