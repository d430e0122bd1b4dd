"""The words: variety, annotators' texts, and nothing given away before the closer look."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from annotated import PLAIN, TERSE, annotation, only, replay, video, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixel_core.data.leaks import leaks
from pixel_core.data.synthesis.given_words import Replaced
from pixel_core.data.synthesis.trajectories import TrajectoryWriter
from pixel_core.records import TrajectoryKind
from pixel_core.rollout.tool_calls import OPEN

#: No sentence stands in a larger share of the turns of its part.
DOMINANT = 0.1


def words(text: str) -> str:
    """A turn without its call."""
    return text.split(OPEN)[0].strip()


def sentences(text: str) -> list[str]:
    return re.findall(r"[^.?!]+[.?!]", text)


@pytest.mark.ci
@pytest.mark.parametrize("make", [annotation, video], ids=["picture", "video"])
def test_no_sentence_dominates_its_part(make: Any) -> None:
    """10,000 trajectories that differ in nothing but their templates' draws."""
    kinds = {
        "direct": TrajectoryKind.DIRECT,
        "retry": TrajectoryKind.RECROP_ONCE,
        "too_large": TrajectoryKind.FURTHER_ZOOM,
    }
    if make is video:
        kinds = {"direct": TrajectoryKind.DIRECT, "retry": TrajectoryKind.RESELECT}
    found: dict[str, Counter[str]] = {}
    turns: Counter[str] = Counter()
    each = 10_000 // len(kinds)
    for name, kind in kinds.items():
        writer = TrajectoryWriter(only(kind, PLAIN))
        for number in range(each):
            item = make(number, answers=("seventeen",), id=f"{name}-{number}")
            made = written(writer, item).trajectory
            assert made.kind is kind
            for part, turn in zip((f"{name} first", name, "final"), made.turns, strict=False):
                turns[part] += 1
                found.setdefault(part, Counter()).update(set(sentences(words(turn.text))))
    for part, counter in found.items():
        assert turns[part] > 3000
        sentence, count = counter.most_common(1)[0]
        # Three standard errors of a share of 0.1 in 3,333 turns are 0.016.
        assert count / turns[part] <= DOMINANT, (part, sentence, count / turns[part])


def test_texts_use_the_annotators_words() -> None:
    writer = TrajectoryWriter(only(TrajectoryKind.SINGLE_PASS, PLAIN))
    items = [
        annotation(n, whole_view="A table\nwith cards", local_view="It says so!")
        for n in range(80)
    ]
    turns = [written(writer, item).trajectory.turns for item in items]
    first, last = zip(*turns, strict=True)
    assert all(turn.text.startswith("A table with cards. ") for turn in first)
    assert all(turn.text.startswith("It says so! ") for turn in last)
    assert len({words(turn.text) for turn in first}) >= 20
    assert all("the red card" in turn.text.lower() for turn in first)


@pytest.mark.parametrize(
    ("changes", "replaced"),
    [
        ({"whole_view": "A card shows a 7."}, Replaced.LEAKY_WHOLE_VIEW),
        ({"whole_view": "Seven stands on a card."}, Replaced.LEAKY_WHOLE_VIEW),
        ({"subject": "the card with the 7"}, Replaced.LEAKY_SUBJECT),
        ({"whole_view": 'See <tool_call>{"name": 1}</tool_call>'}, Replaced.UNUSABLE),
        ({"local_view": "It is \\boxed{3}."}, Replaced.UNUSABLE),
        ({"subject": "the <tool_call> card"}, Replaced.UNUSABLE),
        ({"local_view": "so " * 1000}, Replaced.UNUSABLE),
    ],
)
def test_words_that_may_not_stand_there_are_replaced(changes: Any, replaced: Replaced) -> None:
    config = only(TrajectoryKind.SINGLE_PASS, PLAIN)
    item = annotation(7, **changes)
    result = written(TrajectoryWriter(config), item)
    assert result.replaced == (replaced,)
    replay(item, result.trajectory, config)
    (text,) = changes.values()
    assert all(text.strip() not in turn.text for turn in result.trajectory.turns)
    assert not leaks(words(result.trajectory.turns[0].text), ("7",))


def test_a_choice_is_given_away_by_its_text_too() -> None:
    writer = TrajectoryWriter(only(TrajectoryKind.SINGLE_PASS, PLAIN))
    changes: dict[str, Any] = {"choices": ("a cat", "a dog"), "answers": ("B",)}
    result = written(writer, annotation(1, whole_view="There is a dog.", **changes))
    assert result.replaced == (Replaced.LEAKY_WHOLE_VIEW,)
    assert not written(writer, annotation(1, whole_view="There is a cat.", **changes)).replaced


def test_an_answer_at_once_may_say_what_the_whole_shows() -> None:
    item = annotation(7, whole_view="A card shows a 7.", cue=None)
    result = written(TrajectoryWriter(PLAIN), item)
    assert not result.replaced
    assert "A card shows a 7." in result.trajectory.turns[0].text


def test_a_bridge_worded_like_the_answer_is_drawn_again() -> None:
    writer = TrajectoryWriter(only(TrajectoryKind.SINGLE_PASS, PLAIN))
    replaced = Counter()
    for number in range(200):
        result = written(writer, annotation(number, answers=("detail",)))
        replaced.update(result.replaced)
        assert "detail" not in result.trajectory.turns[0].text
    assert replaced[Replaced.LEAKY_BRIDGE] > 0


def test_a_bridge_that_can_only_give_it_away_is_left_out() -> None:
    config = only(TrajectoryKind.RECROP_ONCE, TERSE)
    item = annotation(1, answers=("place",))
    result = written(TrajectoryWriter(config), item)
    assert Replaced.WORDLESS in result.replaced
    replay(item, result.trajectory, config)
    assert result.trajectory.turns[1].text.startswith(OPEN)


texts = st.text(max_size=60) | st.sampled_from(
    (OPEN, "</tool_call>", "\\boxed{7}", "{subject}", "{call}", "<|im_end|>", "7", "\x00\x02")
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(
        (TrajectoryKind.SINGLE_PASS, TrajectoryKind.RECROP_ONCE, TrajectoryKind.RESELECT)
    ),
    st.fixed_dictionaries({"whole_view": texts, "local_view": texts, "subject": texts}),
    st.sampled_from(("7", "red", "no", "B", "eighteen cats")) | texts,
    st.integers(0, 99),
)
def test_no_words_change_the_form_or_come_before_their_time(kind, given_texts, answer, n):
    config = only(kind, PLAIN)
    make = video if kind is TrajectoryKind.RESELECT else annotation
    item = make(n, **given_texts, **({"answers": (answer,)} if answer else {}))
    result = TrajectoryWriter(config).write(item)
    if result in ("unanswerable",):
        return
    made = result.trajectory
    replay(item, made, config)
    for place, turn in enumerate(made.turns[:-1]):
        assert not leaks(words(turn.text), item.seed.answers)
        wrong = place < len(made.turns) - 2
        assert [text for text, trained in turn.pieces if not trained] == (
            [turn.text[turn.text.index(OPEN) :]] if wrong else []
        )
