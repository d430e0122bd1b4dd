"""Answers in the style of 7B models, each with what a careful reader takes it to say.

Built by a fixed seed from worded forms (``answer_forms.txt``: English and Chinese, with a box
or tag and without) and options in the style of the benchmarks, so that the claim is known by
construction; some sixty longer ones are judged by hand (``answers_by_hand.jsonl``). The
claim is the option's text, the count, or the text that is answered; None where the answer names
nothing, names two, hedges, or speaks of another answer. Nobody's model output is copied.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

OPTIONS = [
    ("white", "purple", "green", "yellow"),
    ("The dog is on the left side of the bench.", "The dog is on the right side of the bench."),
    ("a red umbrella", "a blue suitcase", "a wooden chair", "a glass bottle"),
    ("12.5 km", "125 km", "1.25 km", "12.5 miles"),
    ("opening the drawer", "closing the drawer", "putting down the cup"),
    ("3", "4", "5", "6"),
    ("STOP", "YIELD", "ONE WAY", "NO PARKING"),
]
CHINESE_OPTIONS = [
    ("红色", "蓝色", "绿色", "黄色"),
    ("左边", "右边", "上面"),
    ("猫", "狗", "鸟", "鱼"),
]
TEXTS = [
    *(
        "42%",
        "$1.5 million",
        "Share contacts",
        "3:30 PM",
        "2019",
        "10-15",
        "1/2",
        "New York City",
    ),
    *("12.5 km", "-5 °C", "Room 204", "U.S. Army", "1,200", "Main Street", "blue and white"),
]
_DIGITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve"),
)
_CHINESE = (*"零一二三四五六七八九十", "十一", "十二")
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Scored:
    """``kind``: choice, counting or anls. ``claim``: what is said, None for nothing."""

    kind: str
    text: str
    claim: str | None
    #: Of a choice its options; else other answers that it does not give.
    others: tuple[str, ...]


def filled(form: str, **values: str) -> str:
    """The form with its fields, which are one letter in braces."""
    for name, value in values.items():
        form = form.replace("{" + name + "}", "\x02" + value + "\x02")
    return form.replace("\x02", "").replace("⏎", "\n")


def scored_answers(seed: int = 0) -> Iterator[Scored]:
    """All of them, in a fixed order."""
    dice = random.Random(seed)
    for options in OPTIONS:
        for form in [*_forms()["marked"], *_forms()["stated"]]:
            yield _choice(dice, form, options, named=True)
        for form in _forms()["nothing"]:
            yield _choice(dice, form, options, named=False)
    for options in CHINESE_OPTIONS:
        for form in _forms()["chinese"]:
            yield _choice(dice, form, options, named=True)
    for section, claim in {"yes": "Yes", "no": "No", "neither": None}.items():
        for form in _forms()[section]:
            yield Scored("choice", filled(form), claim, ("Yes", "No"))
    for turn in range(4):
        for form in _forms()["counted"]:
            yield _count(dice, form, turn, named=True)
        for form in _forms()["uncounted"]:
            yield _count(dice, form, turn, named=False)
    for place, text in enumerate(TEXTS):
        others = (TEXTS[place - 1], TEXTS[place - 2])
        for form in _forms()["read"]:
            yield Scored("anls", filled(form, t=text), text, others)
        for form in _forms()["unread"]:
            yield Scored("anls", filled(form, t=text), None, (text, *others))
    yield from _by_hand()


def _by_hand() -> Iterator[Scored]:
    """Longer ones, a line of JSON each, in ``answers_by_hand.jsonl``."""
    for line in (_HERE / "answers_by_hand.jsonl").read_text("utf-8").splitlines():
        read = json.loads(line)
        yield Scored(read["kind"], read["text"], read["claim"], tuple(read["others"]))


@lru_cache(maxsize=1)
def _forms() -> dict[str, list[str]]:
    """The forms of ``answer_forms.txt`` by section."""
    found: dict[str, list[str]] = {}
    for line in (_HERE / "answer_forms.txt").read_text("utf-8").splitlines():
        if (section := re.fullmatch(r"\[([a-z]+)\]", line)) is not None:
            found[section[1]] = []
        elif found and line:
            found[list(found)[-1]].append(line)
    return found


def _choice(dice: random.Random, form: str, options: tuple[str, ...], *, named: bool) -> Scored:
    first, second = dice.sample(range(len(options)), 2)
    letters = "ABCD"
    text = filled(
        form,
        L=letters[first],
        M=letters[second],
        l=letters[first].lower(),
        W=chr(ord(letters[first]) + 0xFEE0),
        t=options[first].rstrip("."),
        o=options[second],
    )
    return Scored("choice", text, options[first] if named else None, options)


def _count(dice: random.Random, form: str, turn: int, *, named: bool) -> Scored:
    first = dice.randint(1, 4)
    second = dice.randint(1, 5)
    total = first + second + (turn == 3)
    if "{i}" in form:
        total = first + second
    other = dice.choice([n for n in range(2, 13) if n not in (total, 1)])
    text = filled(
        form,
        n=str(total),
        w=_DIGITS[total],
        c=_CHINESE[total],
        i=_DIGITS[first] if form.isascii() else _CHINESE[first],
        j=_DIGITS[second] if form.isascii() else _CHINESE[second],
        x=str(other),
    )
    others = tuple(str(n) for n in range(16) if not named or n != total)
    return Scored("counting", text, str(total) if named else None, others)
