"""OpenRLHF's printed lines as our curve: what is read, what is not believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pixel_core.config import RlConfig
from pixel_core.errors import StageFailed
from pixel_core.training.openrlhf.following import Curve
from pixel_core.training.openrlhf.log_tail import Tail, last_lines
from pixel_core.training.openrlhf.logs import parse

HEAD = (
    "\x1b[36m(PPOTrainer pid=412, ip=10.0.0.7)\x1b[0m INFO 11-22 20:15:03 ppo_trainer.py:512] "
)


def step_line(step: int, head: str = HEAD, **values: object) -> str:
    status = {"policy_loss": 0.25, "actor_grad_norm": 1.5, "actor_lr": 1e-06} | values
    return f"{head}✨ Global step {step}: {status}"


def eval_line(step: int, accuracy: float) -> str:
    scores = {"eval_default_pass1": accuracy, "eval_num_samples": 8.0}
    return (
        f"{HEAD}✨ Evaluation completed in 0:01:07, global_step {step}, eval_metrics: {scores}"
    )


def test_a_status_line_in_the_names_of_our_curve() -> None:
    line = step_line(
        3,
        pixel_accuracy=0.5,
        pixel_rapr=0.25,
        pixel_operations=0.5,
        pixel_op_errors=0.125,
        pixel_correct_with_operation=0.125,
        pixel_reward=0.55,
        pixel_truncated=0.0,
        ppo_kl=-1.5e-05,
        kl=float("nan"),
        **{"rollout/reward_mean": 0.5},
    )
    found = parse(line)
    assert found is not None
    step, row = found
    assert step == 3
    assert row.pop("kl_warm_start") != 0  # no number: left out where the curve is written
    assert row == {
        "loss": 0.25,
        "grad_norm": 1.5,
        "learning_rate": 1e-06,
        "kl_sampler": -1.5e-05,
        "accuracy": 0.5,
        "rapr": 0.25,
        "operations": 0.5,
        "reward": 0.55,
        "truncated": 0.0,
        "op_error_rate": 0.25,
        "accuracy_with_operation": 0.5,
        "accuracy_without_operation": 0.5,
    }


def test_an_evaluation_gives_the_validation_accuracy() -> None:
    assert parse(eval_line(4, 0.375)) == (4, {"validation_accuracy": 0.375})


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Episode [1/1]:   0%|          | 0/8 [00:00<?, ?it/s]",
        # What a model says is printed in the middle of a line.
        f"{HEAD}Sample: ['{step_line(900, head='')}', 0.5]",
        f"{HEAD}Sample: ['{step_line(900).replace(chr(27), '')}', 0.5]",
        step_line(900, head="I said: "),
        step_line(900)[:-9],
    ],
)
def test_other_lines_are_not_believed(line: str) -> None:
    assert parse(line) is None


class Heard:
    def __init__(self) -> None:
        self.updates: list[tuple[int, int, dict[str, float]]] = []
        self.notes: list[str] = []

    def update(self, done: int, total: int, **metrics: float) -> None:
        self.updates.append((done, total, metrics))

    def note(self, text: str) -> None:
        self.notes.append(text)


def followed(lines: list[str], recalled: list[str] | None = None) -> tuple[Curve, Heard]:
    heard = Heard()
    curve = Curve(RlConfig(steps=9), heard)
    curve.recall(recalled or [])
    for line in lines:
        curve.read(line)
    return curve, heard


def row(step: int, **values: Any) -> str:
    return step_line(step, pixel_accuracy=step / 10, **values)


def test_steps_done_again_after_a_kill_replace_the_first_ones() -> None:
    earlier = [row(1), row(2), eval_line(2, 0.1), row(3), eval_line(3, 0.2)]
    curve, heard = followed([row(3), row(4), eval_line(4, 0.3)], recalled=earlier)
    assert [r["step"] for r in curve.rows] == [1, 2, 3, 4]
    assert [r.get("validation_accuracy") for r in curve.rows] == [None, 0.1, None, 0.3]
    assert [done for done, _, _ in heard.updates] == [3, 4, 4]  # what was known is not told
    assert heard.updates[-1] == (4, 9, {"validation_accuracy": 0.3})


def test_the_divergence_from_the_warm_start_is_there_where_it_has_a_weight() -> None:
    for weight, there in ((0.0, False), (0.01, True)):
        curve = Curve(RlConfig(steps=2, kl=weight), Heard())
        curve.read(row(1, kl=0.02))
        assert ("kl_warm_start" in curve.rows[0]) == there


def test_guards_warn_once_also_over_a_restart() -> None:
    lines = [row(step, pixel_truncated=1.0, pixel_rapr=0.0) for step in (1, 2, 3)]
    curve, heard = followed(lines)
    assert [event.guard for event in curve.events] == ["all_truncated"]
    assert len(heard.notes) == 1
    curve, heard = followed([lines[1], lines[2]], recalled=lines)
    assert [event.step for event in curve.events] == [1]
    assert heard.notes == []


def test_an_update_that_is_no_number_ends_the_run_and_can_be_done_again() -> None:
    bad = row(2, policy_loss=float("nan"))
    with pytest.raises(StageFailed, match=r"step 2 .* loss of nan with .*learning_rate"):
        followed([row(1), bad])
    curve, _ = followed([row(2)], recalled=[row(1), bad])
    assert [r["loss"] for r in curve.rows] == [0.25, 0.25]


def test_a_line_is_given_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    tail = Tail(path)
    with path.open("ab") as file:
        for written, lines in ((b"one\ntw", ["one"]), (b"", []), (b"o\n\xff\n", ["two", "�"])):
            file.write(written)
            file.flush()
            assert tail.lines() == lines
    tail.close()


def test_the_end_of_a_log_without_its_progress_bars(tmp_path: Path) -> None:
    path = tmp_path / "errors.txt"
    path.write_bytes(b"a line\n" * 9000 + b"10%|#  \r20%|## \rKeyError: 'episode'\n\n")
    assert last_lines(path, count=2) == "a line\nKeyError: 'episode'"
    assert last_lines(tmp_path / "none.txt") == ""
