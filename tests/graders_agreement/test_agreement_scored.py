"""The scored set of answers (``tests/rewards/scored_answers.py``) by ours and by public rules.

``vstar``, ``mvbench``, ``hrbench`` of lmms-eval 0.7.3 as in ``test_agreement_choice``; its ANLS
on the whole answer. A rule is falsely wrong where it does not find what an answer says, falsely
right where it calls anything else right. ``docs/evaluation.md`` has the table that this prints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from graded_rollouts import ask, said
from scored_answers import Scored, scored_answers

from bench.public_scorers import load
from pixel_core.rewards.graders.anls import anls
from pixel_core.rewards.graders.choice import choice

SPEC = find_spec("lmms_eval")
assert SPEC is not None
assert SPEC.submodule_search_locations
PACKAGE = Path(SPEC.submodule_search_locations[0])
VSTAR = load(PACKAGE, "tasks/vstar_bench/utils.py")
MVBENCH = load(PACKAGE, "tasks/mvbench/utils.py")
HRBENCH = load(PACKAGE, "tasks/hrbench/hrbench_evals.py").HRBenchEval(api_key="none")
METRICS = load(PACKAGE, "api/metrics.py")
LETTERS = "ABCD"

#: Whether an answer is right where ``right`` is the reference.
Rule = Callable[[Scored, str], bool]


def _letter(answer: Scored, right: str) -> str:
    return LETTERS[answer.others.index(right)]


def _hrbench(answer: Scored, right: str) -> bool:
    options = dict(zip(LETTERS, answer.others, strict=False))
    return bool(HRBENCH.can_infer(answer.text, options) == _letter(answer, right))


CHOICE: dict[str, Rule] = {
    "ours": lambda a, right: bool(choice(ask(right, choices=a.others), said(a.text))),
    "vstar": lambda a, right: VSTAR.extract_answer_letter(a.text) == _letter(a, right),
    "mvbench": lambda a, right: bool(MVBENCH.mcq_acc(_letter(a, right), a.text)),
    "hrbench": _hrbench,
}
READ: dict[str, Rule] = {
    "ours": lambda a, right: anls(ask(right), said(a.text)) == 1,
    "lmms-eval": lambda a, right: METRICS.anls([right], [a.text])["anls"] == 1,
}


def shares(kind: str, rules: dict[str, Rule]) -> dict[str, tuple[float, float]]:
    """Of each rule the shares of false wrongs and of false rights."""
    found = [answer for answer in dict.fromkeys(scored_answers()) if answer.kind == kind]
    wrong: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for answer in found:
        for name, rule in rules.items():
            wrong[name] += answer.claim is not None and not rule(answer, answer.claim)
            others = [other for other in answer.others if other != answer.claim]
            right[name] += any(rule(answer, other) for other in others)
    print(f"\n{kind}, {len(found):,} answers: false wrongs, false rights")
    for name in rules:
        print(f"| {name} | {wrong[name] / len(found):.1%} | {right[name] / len(found):.1%} |")
    return {name: (wrong[name] / len(found), right[name] / len(found)) for name in rules}


def test_options() -> None:
    found = shares("choice", CHOICE)
    wrong, right = found.pop("ours")
    assert max(wrong, right) <= 0.01
    for others in found.values():
        assert max(others) > 0.01


def test_texts_that_were_read() -> None:
    found = shares("anls", READ)
    assert max(found["ours"]) <= 0.01
    assert found["lmms-eval"][0] > 0.01
