"""The probe: which tokens it goes on from, what it may not say, and how its turn is judged."""

from __future__ import annotations

from typing import Any

import pytest
from memorised import Memorised, memorised
from tiny_world import Scripted, Tiny, call, dialogue, opening, texts, tiny

from pixel_core.config import SamplingConfig
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.records import StopReason
from pixel_core.rollout.engine import Completion
from pixel_core.rollout.episode import Episode, run_episodes
from pixel_core.rollout.probe import answer_before_looking, place_of_call
from pixel_core.rollout.tool_calls import opening_tokens

GREEDY = SamplingConfig(temperature=0.0)
WORDS = "zoom in on the red card "


@pytest.fixture(scope="module")
def known() -> Memorised:
    return memorised()


class Continuing:
    """Goes on with given words; keeps what it was asked."""

    def __init__(self, world: Tiny, words: list[str]) -> None:
        self._vocabulary, self._words = world.vocabulary, words
        self.asked: list[tuple[list[int], int, tuple[int, ...]]] = []

    def generate(
        self, transcripts: Any, sampling: Any, max_new_tokens: int, banned: Any = ()
    ) -> list[Completion]:
        completions = []
        for transcript in transcripts:
            self.asked.append((list(transcript.tokens), max_new_tokens, tuple(banned)))
            tokens = self._vocabulary.encode_plain(self._words.pop(0))
            tokens.append(self._vocabulary.turn_end)
            finished = len(tokens) <= max_new_tokens
            completions.append(Completion(tokens[:max_new_tokens], None, finished))
        return completions

    def forget(self) -> None:
        pass


def probed(
    turns: list[list[str]], words: list[str], **settings: Any
) -> tuple[list[Episode], list[Episode], Continuing, Tiny]:
    """Episodes with these turns, and what came of asking them before their first look."""
    world = tiny(config=dialogue(**settings))
    openings = [opening(world.prompts, number) for number in range(len(turns))]
    episodes = run_episodes(
        Scripted(world.vocabulary, turns), world.prompts, openings, 1, GREEDY
    )
    engine = Continuing(world, words)
    before = answer_before_looking(engine, world.prompts, openings, episodes, GREEDY)
    return episodes, before, engine, world


def zoom(box: tuple[int, int, int, int] = (4, 4, 60, 60)) -> str:
    return call(tiny().prompts, box)


def test_the_same_words_up_to_the_call_and_no_call_after_them() -> None:
    episodes, (before,), engine, world = probed(
        [[WORDS + zoom(), "\\boxed{7}"], ["\\boxed{1}"]], ["the answer is \\boxed{3}"]
    )
    ((tokens, limit, banned),) = engine.asked
    full = episodes[0].transcript.tokens
    assert tokens == full[: len(tokens)], "token by token what the episode had"
    assert world.vocabulary.decode(tokens).endswith(f"<|im_start|>assistant\n{WORDS}")
    assert full[len(tokens)] in opening_tokens(world.vocabulary)
    assert set(banned) == set(opening_tokens(world.vocabulary))
    assert limit == world.prompts.dialogue.max_new_tokens
    # The record is of the whole turn; the episode it came from is left as it was.
    assert texts(before) == [f"{WORDS}the answer is \\boxed{{3}}"]
    record = before.record()
    assert (record.query_id, record.answer, record.operations) == ("q0", "3", 0)
    assert (episodes[0].answer, episodes[0].operations) == ("7", 1)


def test_only_episodes_that_looked_are_asked_and_from_their_first_turn() -> None:
    refused = '<tool_call>{"name": "zoom_in"}</tool_call>'
    turns = [
        ["\\boxed{1}"],
        [refused, "\\boxed{2}"],  # never saw anything more
        ["so " + refused, zoom(), zoom((30, 30, 90, 90)), "\\boxed{3}"],
    ]
    episodes, before, engine, world = probed(turns, ["\\boxed{9}"])
    assert [one.operations for one in episodes] == [0, 0, 2]
    assert [(one.query.id, one.answer) for one in before] == [("q2", "9")]
    ((tokens, _, _),) = engine.asked
    text = world.vocabulary.decode(tokens)
    assert "Execution error" not in text
    assert text.endswith("assistant\nso ")


@pytest.mark.parametrize(
    ("rest", "stop"),
    [
        ("no box", StopReason.NO_ANSWER),
        ("<tool_call>{}</tool_call> \\boxed{7}", StopReason.TOO_MANY_OPERATIONS),
        (" ".join(["card"] * 31), StopReason.TRUNCATED),
    ],
)
def test_what_is_no_answer(rest: str, stop: StopReason) -> None:
    """A turn is as long as turns were: words before the cut count."""
    _, (before,), _, _ = probed([[WORDS + zoom(), "\\boxed{7}"]], [rest])
    assert (before.stop, before.answer, before.correct) == (stop, "", False)
    assert before.record().tokens <= 32


def test_words_that_leave_no_room_for_a_whole_turn_go_alone() -> None:
    """``max_tokens`` is a limit of the context, which some engines hold to."""
    start = opening(tiny().prompts, 0)
    prompt = len(tiny().prompts.open(start.query, start.visuals))
    turns = [[zoom(), "\\boxed{7}"], [WORDS * 4 + zoom(), "\\boxed{7}"]]
    _, before, engine, world = probed(
        turns,
        ["\\boxed{1}", "\\boxed{2}"],
        max_tokens=prompt + 90,
        max_new_tokens=80,
    )
    assert [one.answer for one in before] == ["1", "2"]
    settings = world.prompts.dialogue
    assert all(len(tokens) + limit <= settings.max_tokens for tokens, limit, _ in engine.asked)
    (_, roomy, _), (_, tight, _) = engine.asked
    assert (roomy, tight < 80) == (80, True)


def test_a_tag_that_is_spelled_out_is_cut_at_its_first_letter() -> None:
    world = tiny()
    vocabulary = world.vocabulary
    spelled = [token for letter in "<tool_call>{}" for token in vocabulary.encode_plain(letter)]
    words = vocabulary.encode_plain("look é ")
    assert not set(spelled) & set(opening_tokens(vocabulary))
    assert place_of_call([*words, *spelled], vocabulary) == len(words)
    assert place_of_call([*spelled, *words], vocabulary) == 0
    assert place_of_call(words, vocabulary) == len(words)


def test_a_real_engine_goes_on_in_its_own_words(known: Memorised) -> None:
    world = known.world
    engine = EmbeddedEngine(world.model, world.vocabulary)
    episodes = run_episodes(engine, world.prompts, known.openings, 1, GREEDY)
    first = answer_before_looking(engine, world.prompts, known.openings, episodes, GREEDY)
    again = answer_before_looking(engine, world.prompts, known.openings, episodes, GREEDY)
    assert [one.query.id for one in first] == ["q2", "q3", "q4"]
    assert [one.record() for one in first] == [one.record() for one in again]
    openers = set(opening_tokens(world.vocabulary))
    for one in first:
        assert not openers & set(one.transcript.tokens)
        assert (len(one.steps), one.operations) == (1, 0)
    # And the engine is as good as new.
    later = run_episodes(engine, world.prompts, known.openings, 1, GREEDY)
    assert [one.record() for one in later] == [one.record() for one in episodes]
