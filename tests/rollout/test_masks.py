"""Masks by span: which tokens of a turn are trained, whatever the tokenizer."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tiny_world import dialogue, opening, tiny
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import ByteLevel
from transformers import PreTrainedTokenizerFast

from pixel_core.errors import ConfigError
from pixel_core.records import Trajectory, TrajectoryKind, Turn
from pixel_core.rollout.replay import masked_tokens, replay
from pixel_core.rollout.tool_calls import ZoomCall, format_call
from pixel_core.rollout.vocabulary import (
    IMAGE,
    TURN_END,
    TURN_START,
    VIDEO,
    VISION_END,
    VISION_START,
    Vocabulary,
)

CORPUS = [
    "The lettering on the wall is too small to judge from here, so I zoom in on it.",
    "naïve café 東京の看板 “no entry” ünder 100 % 🦜🦜 e\u0301",
    '<tool_call>{"name": "zoom_in", "arguments": {"bbox_2d": [0.1, 0.2]}}</tool_call>',
]


@lru_cache(maxsize=2)
def byte_level(trim: bool) -> Vocabulary:
    """A byte-level BPE made as Qwen2's is: normalised to NFC, split by its pattern, with
    merges for common words only, so that other characters are several tokens.

    ``trim``: offsets leave out the space before a word, as some tokenizers have it.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    pattern = r"'s|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = ByteLevel(trim_offsets=trim)
    tokenizer.decoder = decoders.ByteLevel()
    special = [TURN_START, TURN_END, VISION_START, VISION_END, IMAGE, VIDEO, "<|endoftext|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([CORPUS[0]] * 3 + CORPUS, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|endoftext|>",
        eos_token=TURN_END,
        additional_special_tokens=special[:-1],
    )
    return Vocabulary.of(fast)


def trained_pieces(turn: Turn, vocabulary: Vocabulary) -> list[tuple[bool, str]]:
    """Runs of equally weighted tokens as text; the end of the turn is its name."""
    tokens, weights = masked_tokens(turn, vocabulary)
    runs: list[tuple[bool, list[int]]] = []
    for token, weight in zip(tokens, weights, strict=True):
        if not runs or runs[-1][0] != bool(weight):
            runs.append((bool(weight), []))
        runs[-1][1].append(token)
    return [(trained, vocabulary.decode(run)) for trained, run in runs]


VOCABULARIES = pytest.mark.parametrize(
    "vocabulary",
    [tiny().vocabulary, byte_level(False), byte_level(True)],
    ids=["tiny", "byte-level", "trimmed"],
)


@VOCABULARIES
def test_the_call_is_masked_and_the_words_before_it_are_trained(vocabulary) -> None:
    words, call = "Der Käfig (鳥) is too small; 🦜 I zoom in.\n", CORPUS[2]
    turn = Turn(text=words + call, untrained=((len(words), len(words + call)),))
    assert trained_pieces(turn, vocabulary) == [(True, words), (False, call + TURN_END)]
    # In the middle of a turn, the turn's end is trained with the words before it.
    after = Turn(text=words + call + " So", untrained=turn.untrained)
    assert trained_pieces(after, vocabulary) == [
        (True, words),
        (False, call),
        (True, " So" + TURN_END),
    ]


@VOCABULARIES
def test_a_span_inside_a_word_takes_the_tokens_it_touches(vocabulary) -> None:
    text = "I zoom in on the lettering."
    start = text.index("lettering") + 2
    turn = Turn(text=text, untrained=((start, start + 1),))
    pieces = trained_pieces(turn, vocabulary)
    assert [trained for trained, _ in pieces] == [True, False, True]
    assert "".join(said for _, said in pieces) == text + TURN_END
    assert "t" in pieces[1][1]
    assert pieces[1][1] in " lettering"
    assert pieces[2][1] == text[len(pieces[0][1] + pieces[1][1]) :] + TURN_END


def test_a_character_of_several_tokens_is_masked_whole() -> None:
    vocabulary = byte_level(False)
    text = "a𓀀b"  # not in the corpus
    assert len(vocabulary.encode_plain("𓀀")) == 4
    tokens, weights = masked_tokens(Turn(text=text, untrained=((1, 2),)), vocabulary)
    masked = [token for token, weight in zip(tokens, weights, strict=True) if not weight]
    assert vocabulary.decode(masked) == "𓀀"


@pytest.mark.parametrize("span", [(1, 2), (2, 3), (1, 3)])
def test_what_normalisation_joins_is_masked_together(span: tuple[int, int]) -> None:
    """An e with a combining accent is one character to the tokenizer, two to the span."""
    turn = Turn(text="xe\u0301y", untrained=(span,))
    pieces = trained_pieces(turn, byte_level(False))
    assert pieces[0] == (True, "x")
    assert not pieces[1][0]
    assert pieces[1][1].startswith("\u00e9")


characters = st.characters(exclude_categories=("Cs",))
texts = st.text(characters, max_size=40) | st.lists(
    st.sampled_from((*CORPUS, " ", "\n", TURN_END, "🦜", "zoom")), max_size=4
).map("".join)


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    text = draw(texts)
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    return Turn(text=text, untrained=tuple(list(pairwise(edges))[::2]))


@settings(deadline=None)
@given(turns(), st.booleans())
def test_masks_change_no_token_and_cover_the_spans(turn: Turn, trim: bool) -> None:
    vocabulary = byte_level(trim)
    tokens, weights = masked_tokens(turn, vocabulary)
    assert tokens == [*vocabulary.encode_plain(turn.text), vocabulary.turn_end]
    assert len(weights) == len(tokens)
    assert set(weights) <= {0.0, 1.0}
    if not turn.untrained:
        assert all(weights)
        return
    assert not all(weights)
    assert (weights[-1] == 0.0) == (turn.untrained[-1][1] == len(turn.text))
    # What stands apart from every span is trained: cut there, the rest is as it was.
    first = turn.untrained[0][0]
    before = vocabulary.encode_plain(turn.text[:first])
    apart = turn.text.isascii() and turn.text[first] != " "  # what offsets may leave out
    if apart and tokens[: len(before)] == before:
        assert all(weights[: len(before)])


def test_a_masked_trajectory_replays_with_returns_masked_too() -> None:
    world = tiny(config=dialogue(prompt="full", max_tokens=8000))
    vocabulary = world.vocabulary
    zoom = world.prompts.dialogue.zoom
    wrong, right = (
        format_call(ZoomCall(box, 1), zoom) for box in ((0, 0, 40, 40), (30, 30, 90, 90))
    )
    words = "I look here. "
    said = [words + wrong, "That was wrong. " + right, "It is \\boxed{7}."]
    trajectory = Trajectory(
        id="t",
        seed_id="s",
        kind=TrajectoryKind.RECROP_ONCE,
        turns=(
            Turn(text=said[0], untrained=((len(words), len(said[0])),)),
            Turn(text=said[1]),
            Turn(text=said[2]),
        ),
    )
    transcript = replay(trajectory, opening(world.prompts, 1), world.prompts)
    runs: list[list[int]] = [[]]
    for token, weight in zip(transcript.tokens, transcript.weights, strict=True):
        if weight:
            runs[-1].append(token)
        elif runs[-1]:
            runs.append([])
    trained = [vocabulary.decode(run) for run in runs if run]
    assert trained == [words, said[1] + TURN_END, said[2] + TURN_END]


def test_a_tokenizer_without_offsets_is_refused_where_they_are_needed() -> None:
    class Slow:
        is_fast = False
        unk_token_id = None

        def __call__(self, text: str, **settings: Any) -> Any:
            return type("Encoding", (), {"input_ids": [1] * len(text)})

    vocabulary = Vocabulary(Slow(), pad=0, turn_end=2, image=3, banned=())
    assert masked_tokens(Turn(text="ab"), vocabulary) == ([1, 1, 2], [1.0, 1.0, 1.0])
    whole = Turn(text="ab", untrained=((0, 2),))
    assert masked_tokens(whole, vocabulary)[1] == [0.0, 0.0, 0.0]
    with pytest.raises(ConfigError, match=r"Slow .*use the fast tokenizer"):
        masked_tokens(Turn(text="ab", untrained=((1, 2),)), vocabulary)


@pytest.mark.parametrize(
    "spans", [((0, 0),), ((2, 1),), ((0, 4),), ((1, 3), (2, 3)), ((-1, 1),)]
)
def test_spans_outside_the_text_or_out_of_order_are_refused(spans) -> None:
    with pytest.raises(ValidationError):
        Turn(text="abc", untrained=spans)


@given(turns())
def test_pieces_are_the_text_and_records_keep_their_spans(turn: Turn) -> None:
    assert "".join(text for text, _ in turn.pieces) == turn.text
    masked = sum(len(text) for text, trained in turn.pieces if not trained)
    assert masked == sum(stop - start for start, stop in turn.untrained)
    line = turn.model_dump_json()
    assert Turn.model_validate_json(line) == turn
    assert ("untrained" in json.loads(line)) == bool(turn.untrained)
