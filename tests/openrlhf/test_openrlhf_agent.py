"""Our agent file, loaded and driven by the installed OpenRLHF: from its dataset class through
its actor's ``generate_responses`` to the advantages that it would train on.

Only what a CPU cannot have stands in: vLLM's engine, which is given its turns, and the class
of its sampling parameters.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import stand_ins
import torch
from openrlhf.datasets.prompts_dataset import PromptDataset
from openrlhf.utils.logging_utils import NewLineFormatter
from rollout_actor import Params, RolloutActor
from rollout_folder import make_folder
from test_openrlhf_advantages import theirs
from tiny_world import call

from pixel_core.config import RewardConfig
from pixel_core.rewards.advantages import advantages
from pixel_core.training.openrlhf import dataset, scoring, settings
from pixel_core.training.openrlhf.logs import parse

stand_ins.give("vllm", SamplingParams=Params)

from openrlhf.trainer import ppo_trainer  # noqa: E402
from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator  # noqa: E402
from openrlhf.trainer.ray.vllm_engine import (  # noqa: E402
    RolloutRayActor,
    _load_agent_executor,
)

GROUP = 4
AGENT = Path(settings.__file__).with_name("agent.py")


@dataclass
class Loaded:
    """The agent as an actor holds it."""

    folder: Path
    queries: list[Any]
    executor: Any

    @property
    def vocabulary(self) -> Any:
        return self.executor._rollouts.vocabulary

    def group(self, turns: list[list[str]], temperature: float = 1.0) -> list[dict[str, Any]]:
        """A prompt's rollouts, started by the actor's own method."""
        written = self.folder / "train.jsonl"
        dataset.write_prompts(written, self.queries[:1])
        lines = [json.loads(line) for line in written.read_text().splitlines()]
        args = SimpleNamespace(input_key="prompt", label_key="label", apply_chat_template=False)
        strategy = SimpleNamespace(args=SimpleNamespace(data=args), is_rank_0=lambda: False)
        _, prompt, label, images = PromptDataset(lines, None, strategy)[0]
        actor = RolloutActor(self.vocabulary, turns)
        actor.executor = self.executor
        method = RolloutRayActor.__ray_metadata__.modified_class.generate_responses
        return asyncio.run(
            method(
                actor,
                prompt,
                label,
                Params(temperature=temperature),
                self.executor._rollouts.settings.dialogue.max_tokens,
                None,
                num_samples=len(turns),
                images=images,
            )
        )


def load(folder: Path, **values: Any) -> Loaded:
    queries = make_folder(folder, group=GROUP, **values)
    shutil.copyfile(AGENT, folder / "agent.py")
    return Loaded(folder, queries, _load_agent_executor(str(folder / "agent.py")))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load(tmp_path_factory.mktemp("run"))


def mixed(loaded: Loaded) -> list[list[str]]:
    """Right at once; right after a crop; wrong; cut by the limit before a turn's end."""
    right = f"so \\boxed{{{loaded.queries[0].answers[0]}}}"
    zoom = "look " + call(loaded.executor._rollouts.prompts, (4, 4, 40, 40))
    return [[right], [zoom, right], ["no \\boxed{none}"], ["and so on " * 40]]


def experiences(loaded: Loaded, responses: list[dict[str, Any]]) -> list[Any]:
    limit = loaded.executor._rollouts.settings.dialogue.max_tokens
    convert = SamplesGenerator._process_response_into_experience
    return [convert(SimpleNamespace(), response, max_len=limit) for response in responses]


def test_its_tensors_mask_what_was_sampled_and_nothing_else(loaded: Loaded) -> None:
    responses = loaded.group(mixed(loaded))
    for response, made in zip(responses, experiences(loaded, responses), strict=True):
        tokens = response["observation_tokens"]
        assert made.sequences[0].tolist() == tokens
        trained = [t for start, stop in response["action_ranges"] for t in tokens[start:stop]]
        assert made.sequences[0, 1:][made.action_mask[0].bool()].tolist() == trained
        assert trained.count(loaded.vocabulary.turn_end) == len(response["action_ranges"])
        assert loaded.vocabulary.image not in trained
        grids = made.mm_train_inputs[0]["image_grid_thw"]
        assert tokens.count(loaded.vocabulary.image) == int(grids.prod(1).sum()) // 4
    assert sorted(len(response["action_ranges"]) for response in responses) == [0, 1, 1, 2]
    assert sum(bool(made.truncated) for made in experiences(loaded, responses)) == 1


def test_two_groups_of_the_same_prompt_do_not_meet(loaded: Loaded) -> None:
    for _ in range(2):
        keys = {frozenset(r["extra_logs"]) for r in loaded.group(mixed(loaded))}
        assert keys == {frozenset(scoring.PREFIX + name for name in scoring.LOGGED)}


def test_in_its_evaluation_the_reward_is_the_accuracy(loaded: Loaded) -> None:
    zoomed = mixed(loaded)[1]
    (response,) = loaded.group([zoomed], temperature=0.0)
    assert (response["reward"], response["scores"]) == (1.0, 1.0)
    metrics = ppo_trainer.compute_eval_metrics(
        [(["default"], [response["prompt"]], [None], [None])],
        experiences(loaded, [response]),
        1,
    )
    assert metrics["eval_default_pass1"] == 1.0


@pytest.mark.parametrize("kind", ["mean", "mean_std", "leave_one_out"])
def test_what_it_trains_on_is_our_advantage(tmp_path: Path, kind: Any) -> None:
    loaded = load(tmp_path, advantage=kind, reward=RewardConfig(alpha=1.0, rapr_target=0.9))
    responses = loaded.group(mixed(loaded))
    rewards = np.array([[response["reward"] for response in responses]])
    earned = [r["extra_logs"][scoring.PREFIX + "reward"] for r in responses]
    assert len(set(earned)) == 3
    found = theirs(scoring.ESTIMATOR, rewards, torch.float32)
    np.testing.assert_allclose(found[0], advantages(earned, kind), rtol=0, atol=1e-6)


@pytest.mark.parametrize("group", [2, 3, 5, 7, 8, 16])
def test_equal_rewards_are_exactly_nothing_there(group: int) -> None:
    """Whatever the reward: the baseline has few binary digits, so that its float32 mean of
    equal rewards is that reward."""
    for earned in np.linspace(-1, 1.5, 41):
        baseline = round(float(earned) * 1024) / 1024
        rewards = np.full((1, group), baseline)
        assert not theirs(scoring.ESTIMATOR, rewards, torch.float32).any()


def test_its_lines_are_the_ones_we_read() -> None:
    """The texts are in its source; the head is made by its own formatter."""
    source = inspect.getsource(ppo_trainer)
    assert 'logger.info(f"✨ Global step {global_step}: {log_status}")' in source
    assert (
        'f"✨ Evaluation completed in {time_str}, global_step {global_step}, eval_metrics'
        in source
    )
    formatter = ppo_trainer.logger.handlers[0].formatter
    assert isinstance(formatter, NewLineFormatter)
    status = {"policy_loss": -1.2e-05, "pixel_accuracy": 0.5, "actor_grad_norm": 2.0}
    record = logging.LogRecord(
        "openrlhf",
        logging.INFO,
        ppo_trainer.__file__,
        512,
        f"✨ Global step 3: {status}",
        (),
        None,
    )
    line = "\x1b[36m(PPOTrainer pid=41)\x1b[0m " + formatter.format(record)
    assert parse(line) == (
        3,
        {
            "loss": -1.2e-05,
            "grad_norm": 2.0,
            "accuracy": 0.5,
            "accuracy_without_operation": 0.5,
        },
    )
