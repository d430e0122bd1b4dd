"""Writes down what passes between the real parts, for the tests to compare. Changes nothing.

Files of pickled dictionaries, below the folder in ``OPENRLHF_RECORD``:

    rollouts/*   our agent's side: each request to vLLM and its answer, and the response
    steps/*      the trainer's side: a step's weights before and after, what it trained on
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

#: Of what a step trains on (OpenRLHF's ``Experience``).
_KEPT = (
    "sequences",
    "attention_mask",
    "action_mask",
    "action_log_probs",
    "advantages",
    "labels",
    "mm_train_inputs",
)


def _write(kind: str, content: dict[str, Any]) -> None:
    import torch

    folder = Path(os.environ["OPENRLHF_RECORD"], kind)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{time.time_ns()}-{uuid4().hex[:8]}"
    torch.save(content, folder / f"{name}.partial")
    (folder / f"{name}.partial").rename(folder / f"{name}.pt")


class _Heard:
    """The actor that samples, and what was asked of it and answered."""

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler
        self.turns: list[dict[str, Any]] = []

    async def generate(self, tokens: list[int], params: Any, multi_modal_data: Any) -> Any:
        params.logprobs = 0  # of the sampled token alone; it changes nothing that is sampled
        output = await self._sampler.generate(tokens, params, multi_modal_data=multi_modal_data)
        said = output.outputs[0]
        pictures = (multi_modal_data or {}).get("image", [])
        self.turns.append(
            {
                "prompt": list(tokens),
                "pictures": [(picture.size, picture.tobytes()) for picture in pictures],
                "tokens": list(said.token_ids),
                "logprobs": [
                    found[token].logprob
                    for token, found in zip(said.token_ids, said.logprobs, strict=True)
                ],
                "finish_reason": said.finish_reason,
            }
        )
        return output


def listen_to_rollouts(module: ModuleType) -> None:
    """``pixel_core.training.openrlhf.rollouts``."""
    play = module.Rollouts.play

    async def play_and_record(self: Any, label: str, params: Any, sampler: Any) -> Any:
        heard = _Heard(sampler)
        response = await play(self, label, params, heard)
        content = {"label": label, "temperature": params.temperature, "turns": heard.turns}
        _write("rollouts", content | {"response": response})
        return response

    module.Rollouts.play = play_and_record


def listen_to_training(module: ModuleType) -> None:
    """``openrlhf.trainer.ray.ppo_actor``."""
    train = module.ActorPPOTrainer.ppo_train

    def train_and_record(self: Any, kl_ctl: float) -> Any:
        items = [
            {name: getattr(item, name) for name in _KEPT} for item in self.replay_buffer.items
        ]
        before = _weights(self.actor.model.module)
        status = train(self, kl_ctl)
        after = _weights(self.actor.model.module)
        _write("steps", {"weights": before, "after": after, "items": items})
        return status

    module.ActorPPOTrainer.ppo_train = train_and_record


def _weights(model: Any) -> dict[str, Any]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
