"""Grading: answers a second by each grader, on one core.

    python -m bench.grading [--answers 4000] [--repeats 5] [--json]

Answers are of the forms that models write: a boxed letter or text, LaTeX around it, a wrong
answer, and for one in ten no box but a sentence that states it. Each turn's questions are new,
so what a grader prepares for a question is part of its time. ``maths`` and ``upstream_code``
ask a process; they grade one answer in twenty of that number. Peers: lmms-eval's ANLS on the
same texts, where ``make graders-agreement`` has installed it; math-verify in this process.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.measure import ROOT, Figure, Times, arguments, in_turns, tell
from bench.public_scorers import load
from pixel_core.records import Picture, Query, Rollout, Step, StopReason
from pixel_core.rewards.graders.registry import GRADERS
from pixel_core.rewards.grading import extract_boxed

Graded = list[tuple[Query, Rollout]]

_PICTURE = Picture(member="a.png", width=1, height=1, sha256="0" * 64)
_THOUGHT = "Let me look at the picture closely. I see a sign beside the door, and a person. "
_WORDS = """
    red blue green yellow wooden metal left right above sign door ladder person dog bicycle
    share contacts million percent north annual report isolate before after 2019 company city
"""
_COUNTS = "zero one two three four five six seven eight nine ten eleven twelve"
_SLOW = ("maths", "upstream_code")


def measure(asked: argparse.Namespace) -> list[Figure]:
    turns = asked.repeats + 1  # one to warm up
    slow = max(asked.answers // 20, 1)
    candidates: dict[str, Callable[[], object]] = {}
    counts: dict[str, int] = {}
    for place, (name, make) in enumerate(MAKERS.items()):
        counts[name] = slow if name in _SLOW else asked.answers
        # No two graders get the same questions, since preparation for one is cached.
        seeds = range(place * turns, (place + 1) * turns)
        candidates[name] = _grading(name, [make(counts[name], seed) for seed in seeds])
    peers = {"maths": _math_verify(slow, turns), "anls": _lmms_eval(asked.answers, turns)}
    for name, peer in peers.items():
        if peer is not None:
            candidates[f"{name} peer"] = peer
    times = in_turns(candidates, asked.repeats)
    return [
        times[name].rate(f"`{name}`", counts[name], "answers/s", **_against(name, times))
        for name in MAKERS
    ]


def _against(name: str, times: dict[str, Times]) -> dict[str, Any]:
    note = {"maths": "math-verify in the same process", "anls": "lmms-eval 0.7.3"}.get(name, "")
    peer = times.get(f"{name} peer")
    if peer is None:
        return {"note": f"{note} is not installed: no peer"} if note else {}
    return {"peer": times[name].times_as_fast_as(peer), "note": f"peer: {note}"}


def _grading(name: str, sets: list[Graded]) -> Callable[[], object]:
    grader, left = GRADERS[name], iter(sets)

    def grade() -> None:
        for query, rollout in next(left):
            grader(query, rollout)

    return grade


def choices(count: int, seed: int) -> Graded:
    forms = ("{L}", "({L})", "{L}. {text}", "{text}", "\\text{{{L}}}", "The answer is {L}")
    dice = random.Random(seed)
    made = []
    for number in range(count):
        options = tuple(_phrase(dice, number) for _ in range(4))
        right, named = dice.randrange(4), dice.randrange(4)
        answer = dice.choice(forms).format(L="ABCD"[named], text=options[named])
        made.append(_graded(dice, answer, (options[right],), options))
    return made


def numbers(count: int, seed: int) -> Graded:
    dice = random.Random(seed)
    made = []
    for _ in range(count):
        answer = dice.randrange(13)
        form = dice.choice(
            (str(answer), _COUNTS.split()[answer], f"{answer} dogs", "about {answer}")
        )
        made.append(_graded(dice, form, (str(dice.randrange(13)),)))
    return made


def readings(count: int, seed: int) -> Graded:
    """Texts read from a picture with small errors; one to three references."""
    dice = random.Random(seed)
    made = []
    for number in range(count):
        references = tuple(_phrase(dice, number) for _ in range(dice.randint(1, 3)))
        answer = dice.choice((references[0], references[-1][1:] + "x", _phrase(dice, number)))
        made.append(_graded(dice, answer, references))
    return made


def expressions(count: int, seed: int) -> Graded:
    dice = random.Random(seed)
    made = []
    for _ in range(count):
        a, b = dice.randint(1, 999), dice.randint(2, 99)
        answer = dice.choice((f"\\frac{{{a}}}{{{b}}}", f"{a}/{b}", f"{a}", f"{a}x + {b}"))
        made.append(_graded(dice, answer, (f"{a}/{b}",)))
    return made


#: Input of each grader; ``strict`` and ``upstream_code`` grade any benchmark's answers.
MAKERS: dict[str, Callable[[int, int], Graded]] = {
    "strict": choices,
    "choice": choices,
    "counting": numbers,
    "anls": readings,
    "maths": expressions,
    "upstream_code": choices,
}


def _phrase(dice: random.Random, number: int) -> str:
    words = dice.sample(_WORDS.split(), dice.randint(1, 4))
    return " ".join([*words, str(number)] if dice.random() < 0.3 else words)


def _graded(
    dice: random.Random, answer: str, references: tuple[str, ...], options: tuple[str, ...] = ()
) -> tuple[Query, Rollout]:
    stated = f"The answer is {answer}."
    text = _THOUGHT + (stated if dice.random() < 0.1 else f"\\boxed{{{answer}}}")
    box = extract_boxed(text)
    query = Query(
        id="q", question="?", pictures=(_PICTURE,), answers=references, choices=options
    )
    rollout = Rollout(
        query_id="q",
        sample=0,
        steps=(Step(text=text),),
        stop=StopReason.NO_ANSWER if box is None else StopReason.ANSWERED,
        answer=box or "",
        correct=False,
        operations=0,
        failed_operations=0,
        tokens=1,
    )
    return query, rollout


def _math_verify(count: int, turns: int) -> Callable[[], object]:
    from math_verify import parse, verify

    left = iter([expressions(count, turn) for turn in range(turns)])

    def compare() -> None:
        for query, rollout in next(left):
            gold = parse(f"\\boxed{{{query.answers[0]}}}", parsing_timeout=None)
            found = parse(f"\\boxed{{{rollout.answer}}}", parsing_timeout=None)
            verify(gold, found, timeout_seconds=None)

    return compare


def _lmms_eval(count: int, turns: int) -> Callable[[], object] | None:
    try:
        anls = load(next(_installed()), "api/metrics.py").anls
    except StopIteration:
        return None
    left = iter([readings(count, turn) for turn in range(turns)])

    def compare() -> None:
        for query, rollout in next(left):
            anls(query.answers, [rollout.answer or rollout.steps[-1].text])

    return compare


def _installed() -> Iterator[Path]:
    return ROOT.glob(".venv-graders/lib/python3*/site-packages/lmms_eval")


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__ or "", repeats=5)
    options.add_argument("--answers", type=int, default=4000, help="a turn, of each grader")
    return options


if __name__ == "__main__":
    given = parser().parse_args()
    tell(given, measure(given))
