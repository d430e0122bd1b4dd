"""``kill -9`` and Ctrl-C in real training: the next run ends with the uninterrupted bits."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest
from real_runs import RealPixel, SmokeRun, members, statuses

pytestmark = pytest.mark.ci

TRAINED = ("sft", "rl")


def went_on_from(stage: str, output: str) -> tuple[int, int]:
    """The step that the run says it went on from, and the last one."""
    found = re.search(rf"{stage}: going on from step (\d+) of (\d+)", output)
    assert found, output
    return int(found[1]), int(found[2])


def wait_until_gone(session: int, limit_s: float = 10.0) -> None:
    deadline = time.monotonic() + limit_s
    while left := members(session):
        assert time.monotonic() < deadline, f"outlived the run: {left}"
        time.sleep(0.1)


def test_killed_in_sft_and_in_rl_the_run_ends_with_the_uninterrupted_bits(
    smoke: SmokeRun, copy_of_smoke: RealPixel
) -> None:
    pixel = copy_of_smoke
    pixel.forget(*TRAINED)
    printed = {}
    for stage in TRAINED:
        process = pixel.start("run", "--profile", "smoke", "--until", "rl")
        saved = pixel.wait_for_checkpoint(stage, process)
        process.kill()
        assert process.wait(timeout=30) == -signal.SIGKILL
        wait_until_gone(process.pid)
        printed[stage], _ = process.communicate(timeout=30)
        assert f"running {stage}: " in printed[stage]
        assert saved >= 1
    last = pixel.run()

    # The run that was killed in RL is the one that finished the SFT killed before.
    for stage, output in (("sft", printed["rl"]), ("rl", last)):
        step, steps = went_on_from(stage, output)
        assert 0 < step < steps, f"{stage} was not met in the middle"
    assert statuses(printed["rl"])["sft"] == "built"
    for stage in TRAINED:
        assert pixel.weights(stage) == smoke.pixel.weights(stage)
        # The curve too, with the rows of the killed run in it.
        assert pixel.artifact(stage).digest == smoke.pixel.artifact(stage).digest
    # The same bytes again, so nothing that follows was made anew.
    made = statuses(last)
    assert made.pop("rl") == "built"
    assert set(made.values()) == {"reused"}


@pytest.mark.slow
def test_ctrl_c_in_sft_says_what_is_kept_and_the_next_run_goes_on(
    smoke: SmokeRun, copy_of_smoke: RealPixel
) -> None:
    pixel = copy_of_smoke
    pixel.forget("sft")
    command = ("run", "--profile", "smoke", "--until", "sft")
    process = pixel.start(*command)
    saved = pixel.wait_for_checkpoint("sft", process)
    # As a terminal does it: to the whole foreground group, the training workers included.
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    wait_until_gone(process.pid)
    assert "Traceback" not in err
    [said] = err.splitlines()
    assert f"kept in {pixel.store}: ingest, annotate, synthesize, base_model" in said
    assert "what sft has saved so far" in said
    assert said.endswith(f"pixel {' '.join(command)}")

    goes_on = pixel.run("--until", "sft")
    step, steps = went_on_from("sft", goes_on)
    assert saved <= step < steps
    assert pixel.weights("sft") == smoke.pixel.weights("sft")
    assert pixel.artifact("sft").digest == smoke.pixel.artifact("sft").digest
