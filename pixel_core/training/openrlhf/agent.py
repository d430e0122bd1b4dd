"""The file OpenRLHF is given as ``--train.agent_func_path``: our episodes and our reward.

The stage copies it beside its settings (``settings.py``) into a folder that all nodes reach;
every vLLM actor loads it by its path, and finds the settings next to itself. It stands in for
OpenRLHF's own loop (``MultiTurnAgentExecutor.execute``), which would decode what was sampled
and tokenise it again, has no limit a turn, and scores each rollout alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from openrlhf.utils.agent import AgentExecutorBase

from pixel_core.training.openrlhf.picture_caches import forget_pictures_with_prefixes
from pixel_core.training.openrlhf.rollouts import Rollouts


class AgentExecutor(AgentExecutorBase):
    """One an actor. ``prompt`` and ``images`` are only echoed: the label holds the query."""

    def __init__(self) -> None:
        self._rollouts = Rollouts(Path(__file__).parent)

    async def execute(
        self,
        prompt: str,
        label: str,
        sampling_params: Any,
        max_length: int,
        hf_tokenizer: Any,
        llm_engine: Any,
        images: Any = None,
    ) -> dict[str, Any]:
        forget_pictures_with_prefixes(llm_engine)
        response = await self._rollouts.play(label, sampling_params, llm_engine)
        return {"prompt": prompt, "label": label, "images": images, **response}
