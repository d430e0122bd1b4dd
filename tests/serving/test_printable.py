"""What models and files say reaches a terminal as words only."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.cli.terminal import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode 漢字 \\boxed{7}", "plain, ünïcode 漢字 \\boxed{7}"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x1b]0;owned\x07b", "ab"),
        ("a\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\b", "alinkb"),
        ("a\x9b2Jb", "ab"),
        ("a\x1bPq#0\x1b\\b", "ab"),
        ("a\x1bcb", "ab"),
        ("over\rwritten", "over\nwritten"),
        ("back\x08space\x00\x7f", "backspace"),
        ("right\u202eot\u2066tfel", "rightottfel"),
        ("un\u200bseen\ufeff", "unseen"),
        ("one\ttwo\r\nthree\u2028four", "one two\nthree\nfour"),
    ],
)
def test_sequences_and_controls_are_taken_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\x1b\x9b[]m;\x07\\"))))
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    shown = printable(text)
    assert all(letter == "\n" or unicodedata.category(letter)[0] != "C" for letter in shown)
    assert printable(shown) == shown
