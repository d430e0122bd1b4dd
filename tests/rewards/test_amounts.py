r"""Amounts written in many ways are one answer where value and unit are, and never else."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest

from pixel_core.rewards.normal_form import normal, same

SIGNS = {"": [""], "-": ["-", "−", "minus ", "negative "]}
DIGITS = ["5", "12", "1.5", "15", "0.5", "125", "12.5", "1,500", "1500", "2.50", "250"]
SCALES = {1: [""], 10**3: [" thousand", "k"], 10**6: [" million"], 10**9: [" billion", "bn"]}
MONEY_SCALES = {1: [""], 10**3: ["K", "k"], 10**6: ["M", " million", "mn"], 10**9: ["B", "bn"]}
UNITS = {
    "": [""],
    "km": [" km", " kilometers", r"\,\text{km}", r"~\mathrm{km}"],
    "kg": [" kg", " kilograms"],
    "%": ["%", " percent", r"\%"],
    "°C": ["°C", r"^\circ\text{C}", " degrees Celsius"],
}
MONEY = {"$": ["$", r"\$", "US$"], "€": ["€", "EUR "]}
WRAPPERS = ["{}", "({})", "**{}**", r"\text{{{}}}", r"\boxed{{{}}}", "{}.", '"{}"', r"\({}\)"]
#: One side may lack them.
OPTIONAL = {"%", "$", "€"}


def amount(dice: Random) -> tuple[Fraction, str, str]:
    """A value, its unit, and a text for both."""
    sign, digits = dice.choice(list(SIGNS)), dice.choice(DIGITS)
    scale, unit = dice.choice(list(SCALES)), dice.choice([*UNITS, *MONEY])
    written = dice.choice(SIGNS[sign])
    if unit in MONEY:
        written += dice.choice(MONEY[unit]) + digits + dice.choice(MONEY_SCALES[scale])
    else:
        written += digits + dice.choice(SCALES[scale]) + dice.choice(UNITS[unit])
    for _ in range(dice.randint(0, 2)):
        written = dice.choice(WRAPPERS).format(written)
    value = Fraction(digits.replace(",", "")) * scale
    return -value if sign else value, unit, written


@pytest.mark.parametrize("seed", range(4))
def test_two_amounts_match_where_value_and_unit_do(seed: int) -> None:
    dice = Random(seed)
    for _ in range(1500):
        (one, unit, text), (other, second, answer) = amount(dice), amount(dice)
        alike = unit == second or (not unit and second in OPTIONAL)
        alike |= not second and unit in OPTIONAL
        expected = one == other and alike
        assert same(normal(text), normal(answer)) == expected, (text, answer)
        assert same(normal(answer), normal(text)) == expected, (text, answer)


def test_no_digit_is_rounded_away() -> None:
    long = "1" + "0" * 40
    assert not same(normal(f"-{long}1"), normal(f"-{long}2"))
    assert not same(normal(f"{long}1 million"), normal(f"{long}2 million"))


@pytest.mark.parametrize(
    "text", ["minus " * 5000 + "5", "负" * 5000 + "5", "百分之" * 3000 + "5"]
)
def test_words_for_signs_do_not_recurse(text: str) -> None:
    normal(text)
