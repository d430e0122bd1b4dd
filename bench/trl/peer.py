"""TRL's side: GRPOTrainer on a job, in TRL's own environment.

    .venv-trl/bin/python -m bench.trl.peer JOB OUT

Writes ``OUT/rank-N.json``: when each optimizer step ended, and what its rollouts were. Ours
are the tool, the reward and the dialogue's format; TRL has the loop, the sampling, the
batches, the loss and the optimizer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from PIL import Image
from transformers import (
    AutoTokenizer,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Qwen2_5_VLForConditionalGeneration,
    TrainerCallback,
)
from trl import GRPOConfig, GRPOTrainer

from bench.trl.dialogue import Opened, count, environment_of, open_all, processor_of
from bench.trl.job import Job, Work
from pixel_core.records import Query
from pixel_core.rewards.grading import extract_boxed, grade
from pixel_core.rewards.shaping import shape


class Clock(TrainerCallback):
    """Records when each optimizer step ended, in seconds."""

    def __init__(self) -> None:
        self.ended: list[float] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.ended.append(time.perf_counter())

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ended.append(time.perf_counter())


class Judge:
    """The reward function; also counts the rollouts, one ``Work`` per step."""

    __name__ = "judge"

    def __init__(self, job: Job, tokenizer: PreTrainedTokenizerBase) -> None:
        self.job = job
        self.by_id = {query.id: query for query in job.queries}
        self.turn_end = tokenizer.convert_tokens_to_ids("<|im_end|>")
        self.picture = tokenizer.convert_tokens_to_ids("<|image_pad|>")
        self.header = tokenizer("<|im_start|>assistant\n", add_special_tokens=False).input_ids
        self.steps: list[Work] = []

    def __call__(
        self,
        completions: list[list[dict[str, Any]]],
        completion_ids: list[list[int]],
        query_id: list[str],
        environments: list[Any],
        **_: Any,
    ) -> list[float]:
        group, rewards = self.job.rl.group, []
        for start in range(0, len(completions), group):
            stop = start + group
            query = self.by_id[query_id[start]]
            assert set(query_id[start:stop]) == {query.id}, "a group must not be divided"
            worlds = environments[start:stop]
            shaped = shape(
                [_right(messages, query) for messages in completions[start:stop]],
                [world.executed > 0 for world in worlds],
                [world.attempts for world in worlds],
                self.job.rl.reward,
            )
            rewards += shaped.total.tolist()
        work = Work(0, 0, 0)
        for tokens in completion_ids:
            work += count(tokens, self.turn_end, self.header, self.picture)
        self.steps.append(work)
        return rewards


def _right(messages: list[dict[str, Any]], query: Query) -> bool:
    last = messages[-1]
    if last["role"] != "assistant" or last.get("tool_calls"):
        return False
    return grade(extract_boxed(last["content"]), query)


def settings(job: Job, out: Path) -> GRPOConfig:
    rl, placing = job.rl, job.placing
    rollouts = rl.queries * rl.group
    optimizer = rl.optimizer
    return GRPOConfig(
        output_dir=str(out / "trainer"),
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        per_device_train_batch_size=rollouts // placing.processes // placing.pieces,
        gradient_accumulation_steps=placing.pieces,
        num_generations=rl.group,
        max_steps=rl.steps,
        shuffle_dataset=False,
        # The whole completion including returns; ``max_new_tokens`` below limits a turn.
        max_completion_length=job.dialogue.max_tokens,
        generation_kwargs={
            "max_new_tokens": job.dialogue.max_new_tokens,
            "suppress_tokens": list(job.banned),
        },
        max_tool_calling_iterations=job.dialogue.max_operations,
        temperature=rl.sampling.temperature,
        top_p=rl.sampling.top_p,
        beta=0.0,
        epsilon=rl.clip_low,
        epsilon_high=rl.clip_high,
        scale_rewards="group",
        learning_rate=optimizer.learning_rate,
        lr_scheduler_type="constant",
        adam_beta1=optimizer.betas[0],
        adam_beta2=optimizer.betas[1],
        weight_decay=optimizer.weight_decay,
        max_grad_norm=optimizer.max_grad_norm,
        pad_to_multiple_of=None,
        ddp_find_unused_parameters=False,
        report_to=[],
        logging_steps=rl.steps + 1,
        save_strategy="no",
        disable_tqdm=True,
        seed=rl.seed,
    )


def trainer_of(
    job: Job, out: Path, openings: dict[str, Opened]
) -> tuple[GRPOTrainer, Judge, Clock]:
    tokenizer = AutoTokenizer.from_pretrained(Path(job.policy) / "model")
    processor = processor_of(tokenizer, job.dialogue)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        Path(job.policy) / "model", dtype=torch.float32, attn_implementation="sdpa"
    )
    judge = Judge(job, tokenizer)
    clock = Clock()
    rows = Dataset.from_dict({"query_id": [query.id for query in job.queries]})

    def opened(batch: dict[str, list[str]]) -> dict[str, list[Any]]:
        found = [openings[name] for name in batch["query_id"]]
        return {
            "query_id": batch["query_id"],
            "prompt": [[{"role": "user", "content": one.question}] for one in found],
            "images": [[one.view] for one in found],
        }

    trainer = GRPOTrainer(
        model=model,
        processing_class=processor,
        reward_funcs=[judge],
        args=settings(job, out),
        train_dataset=rows.with_transform(opened),
        environment_factory=environment_of(openings, job.dialogue),
        callbacks=[clock],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer, judge, clock


def check_dialogue(job: Job, trainer: GRPOTrainer, view: Image.Image) -> None:
    """Raise ``SystemExit`` unless prompts and returns have the same tokens as ours."""
    picture = {"type": "image", "image": view}
    question = {"type": "text", "text": job.queries[0].question}
    prompt = trainer.processing_class.apply_chat_template(
        [[{"role": "user", "content": [picture, question]}]],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
    )["input_ids"][0]
    message = {"role": "tool", "name": "zoom_in", "content": [picture]}
    returned = trainer._get_tool_suffix_ids([message])
    for name, theirs, ours in (
        ("prompt", prompt, job.prompt),
        ("return", returned, job.returned),
    ):
        if list(theirs) != list(ours):
            raise SystemExit(f"the {name} is {theirs} in TRL, {list(ours)} in our dialogue")


def main() -> None:
    job, out = Job.read(Path(sys.argv[1])), Path(sys.argv[2])
    torch.set_num_threads(job.placing.threads)
    openings = open_all(job)
    trainer, judge, clock = trainer_of(job, out, openings)
    check_dialogue(job, trainer, openings[job.queries[0].id].view)
    trainer.train()
    said = {"ended": clock.ended, "work": [asdict(work) for work in judge.steps]}
    rank = os.environ.get("RANK", "0")
    (out / f"rank-{rank}.json").write_text(json.dumps(said), encoding="utf-8")


if __name__ == "__main__":
    main()
