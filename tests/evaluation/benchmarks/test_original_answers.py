"""Which option a published answer names, in the original's evaluation sets; never by guess."""

from __future__ import annotations

import pytest

from pixel_core.data.faults import Problems
from pixel_core.errors import DataError
from pixel_core.evaluation.benchmarks.original import item_of
from pixel_core.evaluation.benchmarks.reading import Item


def asked(answer: str | list[str], *options: str) -> Item | None:
    lines = [f"({'ABCDE'[place]}) {option}" for place, option in enumerate(options)]
    fields = {
        "question": "\n".join(["Which one is it?", *lines]),
        "image": ["images/0.jpg"],
        "answer": answer,
        "qid": "vstar-0",
    }
    problems = Problems("V*")
    item = item_of("row 1", 1, fields, problems)
    problems.raise_if_any()
    return item


LETTERS = ("l", "c", "a", "e")


@pytest.mark.parametrize(
    ("answer", "options", "right"),
    [
        (r"\boxed{A}", LETTERS, "l"),
        ("C", LETTERS, "a"),
        ("(D)", LETTERS, "e"),
        ("C.", LETTERS, "a"),
        ("C. a", LETTERS, "a"),
        ("l", LETTERS, "l"),
        # No letter of an option, so that only the text is left.
        ("E", LETTERS, "e"),
        ("A", ("A", "B"), "A"),
        ("Red", ("blue", "red"), "red"),
        (["B", "red"], ("blue", "red"), "red"),
    ],
)
def test_the_option_that_is_named(
    answer: str | list[str], options: tuple[str, ...], right: str
) -> None:
    item = asked(answer, *options)
    assert item is not None
    assert item.accepted == (right,)


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        ("B", ("B", "A")),
        ("a", LETTERS),
        ("c.", LETTERS),
        ("RED", ("red", "red.")),
        (["A", "B"], ("red", "blue")),
    ],
)
def test_an_answer_that_names_two_is_told(
    answer: str | list[str], options: tuple[str, ...]
) -> None:
    with pytest.raises(DataError, match=r"field 'answer'.*names two of the options"):
        asked(answer, *options)


@pytest.mark.parametrize("written", ["[{[]: 1}]", "[{{}}]", "[1, [2]]", "[" * 500 + "]" * 500])
def test_what_is_written_like_a_list_and_is_none_stays_a_text(written: str) -> None:
    item = asked(written)
    assert item is not None
    assert item.accepted == (written,)
