r"""Signs and brackets of formulas: those that change the value count, others do not."""

from __future__ import annotations

import pytest

from pixel_core.rewards.normal_form import normal, same

#: None of a row is another one.
DIFFERENT = [
    ("-x", "x"),
    ("-(x+1)", "-x+1", "x+1"),
    ("2(x+1)", "2x+1"),
    ("(x+1)(x-1)", "(x+1)(x+1)", "x+1x-1"),
    ("(a+b)/c", "a+b/c"),
    ("a/(b+c)", "a/b+c"),
    (r"x^{2+1}", "x^2+1"),
    (r"x^{-1}", "x^1", "x-1"),
    (r"2^{1}0", "2^{10}"),
    (r"\sqrt{x+1}", r"\sqrt{x}+1"),
    (r"\frac{1}{2}x", r"\frac{1}{2x}"),
    ("x-y", "xy", "x+y"),
    ("2x-1", "2x1", "2x+1"),
    ("A-", "A", "A+"),
    ("AB-", "AB", "AB+"),
    ("Cl-", "Cl"),
    ("[0, 1)", "[0, 1]", "(0, 1]"),
    ("(-∞, 3)", "(∞, 3)"),
    ("1e-3", "1e3"),
    ("1990-", "1990"),
    ("2(3)", "23"),
    ("7-6(4)", "7-64"),
]
#: All of a row are one.
ALIKE = [
    ("(a+b)/c", r"\frac{a+b}{c}", "(a + b) / c"),
    ("x^(2+1)", r"x^{2+1}"),
    ("2(x+1)", "2 (x + 1)", "$2(x+1)$"),
    ("x-y", "x - y", "x − y"),
    ("A-", "A−", r"\text{A-}", "**A-**"),
    ("F-16", "F16", "F 16"),
    ("3-D", "3D"),
    ("T-shirt", "T shirt", "tshirt"),
    ("cat(s)", "cats"),
    ("the dog (left)", "the dog left", "(the dog) left"),
    ("(3, 4)", "3, 4", "[3, 4]", "(3,4)"),
    ("[0, 1)", "[0,1)", r"\([0,\,1)\)"),
    ("sqrt(2)", r"\sqrt{2}", "√2".replace("√", "sqrt")),
    (r"3 \cdot 4", "3·4", "3 × 4", "3x4"),
]


@pytest.mark.parametrize("row", DIFFERENT)
def test_what_changes_the_value_counts(row: tuple[str, ...]) -> None:
    for one in row:
        for other in row:
            assert same(normal(one), normal(other)) == (one == other), (one, other)


@pytest.mark.parametrize("row", ALIKE)
def test_other_signs_do_not(row: tuple[str, ...]) -> None:
    for other in row:
        assert same(normal(row[0]), normal(other)), other
        assert same(normal(other), normal(row[0])), other


@pytest.mark.parametrize("piece", ["(", "a(", "-", "-x", "(a+", "[1,2)", "1-", "\\", "`", "{"])
def test_pathological_texts_take_no_time(piece: str) -> None:
    for text in (piece * (100_000 // len(piece)), "\\boxed{" + piece * 5_000 + "}"):
        normal.__wrapped__(text)
