"""Many askers at once get what each would get alone."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from conducting import WARM, alone, conducting, known, texts
from memorised import memorised
from tiny_world import opening, tiny

from pixel_core.models.engine import EmbeddedEngine
from pixel_core.records import StopReason
from pixel_core.serving.answer import Answer, AnswerStep
from pixel_core.serving.question import GREEDY, Question
from pixel_core.serving.scheduler import Scheduler


def test_an_episode_is_told_turn_by_turn_and_then_answered() -> None:
    with conducting() as (scheduler, _):
        events = list(scheduler.submit(known(2)).events())
    *steps, answer = events
    assert [type(event) for event in events] == [AnswerStep] * 3 + [Answer]
    assert [step.number for step in steps] == [1, 2, 3]
    refused, zoomed, said = steps
    assert refused.error == "crop_too_small"
    assert refused.crops == ()
    assert zoomed.box is not None
    assert zoomed.box.as_tuple() == (80, 0, 360, 320)  # of 448 pixels, shown as 112
    assert [crop.size for crop in zoomed.crops] == [(280, 320)]
    assert zoomed.picture == 0
    assert said.text == "\\boxed{yes}"
    assert isinstance(answer, Answer)
    assert (answer.text, answer.stop) == ("yes", StopReason.ANSWERED)
    assert (answer.operations, answer.failed_operations) == (1, 1)
    assert answer.steps == tuple(steps)
    assert answer.tokens == sum(step.tokens for step in steps)
    assert [picture.size for picture in answer.pictures] == [(448, 448)]


def test_questions_that_come_while_others_run_join_them() -> None:
    with conducting() as (scheduler, engine):
        engine.go_on.clear()
        first = scheduler.submit(known(2))
        while not engine.calls:
            pass
        others = [scheduler.submit(known(number % 4)) for number in range(7)]
        engine.go_on.set()
        answers = [handle.answer() for handle in (first, *others)]
    # Alone, then with the seven that came; each turn of all is one call.
    assert engine.calls[:2] == [1, 8]
    expected = memorised().turns
    assert [texts(one) for one in answers] == [
        expected[2],
        *(expected[number % 4] for number in range(7)),
    ]


@pytest.mark.parametrize("sampling", [GREEDY, WARM], ids=["greedy", "sampled"])
def test_sixteen_askers_get_what_each_gets_alone(sampling) -> None:
    world = tiny()
    offered = world.prompts.dialogue
    without = offered.model_copy(update={"operations": "none"})
    asked = [
        Question(opening(world.prompts, n), without if n % 4 == 0 else offered, sampling, n)
        for n in range(16)
    ]
    wanted = [alone(one.opening, one.dialogue, sampling, one.seed) for one in asked]
    scheduler = Scheduler(EmbeddedEngine(world.model, world.vocabulary), at_once=16)
    try:
        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(lambda one: scheduler.submit(one).answer(), asked))
            backwards = list(
                threads.map(lambda one: scheduler.submit(one).answer(), reversed(asked))
            )
    finally:
        scheduler.close()
    first = [texts(one)[:1] for one in answers]
    assert first == [one[:1] for one in wanted]
    assert [texts(one) for one in reversed(backwards)] == [texts(one) for one in answers]
    assert len({text for (text,) in first}) > 8  # they do not all say the same


def test_a_seed_decides_what_is_sampled() -> None:
    with conducting() as (scheduler, _):
        hot = WARM.model_copy(update={"temperature": 5.0})
        handles = [scheduler.submit(known(0, sampling=hot, seed=n % 2)) for n in range(4)]
        said = [texts(handle.answer()) for handle in handles]
    assert said[0] == said[2]
    assert said[1] == said[3]
    assert said[0] != said[1]


def test_without_operations_no_call_is_made_beside_those_who_may() -> None:
    without = known(1).dialogue.model_copy(update={"operations": "none"})
    with conducting() as (scheduler, _):
        barred = scheduler.submit(Question(memorised().openings[1], without))
        free = scheduler.submit(known(1))
        assert texts(free.answer()) == memorised().turns[1]
        answer = barred.answer()
    assert answer.operations == 0
    assert "<tool_call>" not in texts(answer)[0]


def test_what_is_cached_goes_with_its_episode_and_no_sooner() -> None:
    with conducting() as (scheduler, engine):
        without = known(0).dialogue.model_copy(update={"operations": "none"})
        mixed = [known(1), Question(memorised().openings[0], without)]
        # Two calls a round: the second must not cost the first its keys and values.
        fed: list[int] = []
        feed = engine._feed

        def counted(decoder, distinct, cache):
            fed.append(sum(map(len, distinct)) - int(cache.lengths_n.sum()))
            return feed(decoder, distinct, cache)

        engine._feed = counted
        # Both come in while another's turn is held up, so they begin in one round.
        engine.go_on.clear()
        gate = scheduler.submit(known(0))
        while not engine.calls:
            pass
        handles = [scheduler.submit(one) for one in mixed]
        engine.go_on.set()
        for handle in (gate, *handles):
            handle.answer()
        *prompts, second = fed
        assert len(prompts) == 3
        assert second < min(prompts)  # it fed its crop, not all over again
        for _ in range(3):
            scheduler.submit(known(1)).answer()
        scheduler.submit(known(0)).answer()
        assert engine.cached <= 1
    assert engine.cached == 0


def test_an_event_loop_hears_the_turns_without_being_held_up() -> None:
    async def ask(scheduler: Scheduler) -> tuple[list[list[object]], int]:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0.001)

        async def one(number: int) -> list[object]:
            return [event async for event in scheduler.submit(known(number)).events_async()]

        beating = asyncio.create_task(beat())
        heard = await asyncio.gather(*(one(number % 4) for number in range(16)))
        beating.cancel()
        return heard, beats

    with conducting() as (scheduler, _):
        heard, beats = asyncio.run(ask(scheduler))
    for number, events in enumerate(heard):
        assert texts(events[-1]) == memorised().turns[number % 4]
        assert len(events) == len(memorised().turns[number % 4]) + 1
    assert beats > 3


def test_counts_tell_what_was_done() -> None:
    with conducting() as (scheduler, _):
        threads = [
            threading.Thread(target=scheduler.submit(known(number)).answer)
            for number in (1, 2, 3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counts = scheduler.counts()
        assert scheduler.alive
    assert (counts.answered, counts.turns) == (3, 2 + 3 + 2)
    assert (counts.operations, counts.failed_operations) == (3, 1)
    assert 0 < counts.engine_seconds <= counts.round_seconds
