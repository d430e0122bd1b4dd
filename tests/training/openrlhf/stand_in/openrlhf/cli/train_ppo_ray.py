"""Stands where OpenRLHF's program is, which this environment cannot have: it reads the same
command line and files, says the same lines and leaves the same files, and learns nothing.

It ends at once after the step that ``die_at`` in its working folder names, as if killed; 0 is
before it begins.
tests/openrlhf holds the lines and the command line against the real one.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def main(options: dict[str, str]) -> None:
    prompts = Path(options["data.prompt_dataset"]).read_text().splitlines()
    steps = len(prompts) // int(options["rollout.batch_size"])
    states = Path(options["ckpt.path"]) / "_actor"
    first = 0
    if states.exists():
        # As the real one: a folder without ``latest`` is taken for a checkpoint.
        first = int((states / "latest").read_text().removeprefix("global_step"))
    die_at = Path("die_at")
    last = int(die_at.read_text()) if die_at.exists() else None
    if last == 0:
        os._exit(9)
    for step in range(first + 1, steps + 1):
        status = {
            "policy_loss": 0.5 / step,
            "actor_grad_norm": 1.0,
            "pixel_accuracy": 0.5,
            "pixel_rapr": 0.25,
            "pixel_truncated": 0.0,
            "pixel_uniform_groups": 0.0,
        }
        say(f"✨ Global step {step}: {status}")
        if step == last:
            (Path(options["ckpt.path"]) / "_actor").mkdir(parents=True, exist_ok=True)
            os._exit(9)
        if step % int(options["ckpt.save_steps"]) == 0:
            (states / f"global_step{step}").mkdir(parents=True)
            (states / "latest").write_text(f"global_step{step}")
        if "eval.steps" in options and step % int(options["eval.steps"]) == 0:
            scores = {"eval_default_pass1": 0.125 * step}
            asked = f"global_step {step}, eval_metrics: {scores}"
            say(f"✨ Evaluation completed in 0:00:01, {asked}")
    out, weights = Path(options["ckpt.output_dir"]), "model.safetensors"
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(options["actor.model_name_or_path"]) / weights, out / weights)


def say(text: str) -> None:
    print(f"(PPOTrainer pid=7) INFO 11-22 20:15:03 ppo_trainer.py:512] {text}")


if __name__ == "__main__":
    options: dict[str, str] = {}
    for word in sys.argv[1:]:
        if word.startswith("--"):
            name = word[2:]
            options[name] = ""
        else:
            options[name] = word
    main(options)
