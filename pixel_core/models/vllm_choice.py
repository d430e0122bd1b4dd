"""How vLLM's tokens are chosen: by the same rule, from the same numbers, as our own engine's.

vLLM's own sampling would not do. It draws from a stream that all requests share, so that an
answer depends on who was answered beside it; its per-request seeds fail where a prompt is
read in pieces on a CPU; and the log-probabilities it returns are either before temperature
and ban, or after the top-p cut. So each request brings its uniform numbers, one a token, and
the token is chosen here, before vLLM samples. It is left as the only one, with its
log-probability as its logit: vLLM's greedy choice takes it, and hands the number on
(``logprobs_mode="processed_logits"``). What is chosen then depends on the request alone, in
whatever batch, and after a preemption too.

Imported by vLLM in the processes of its workers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from vllm.v1.sample.logits_processor import LogitsProcessor, process_dict_updates

from pixel_core.config import SamplingConfig
from pixel_core.models.sampling import sample


def choice_of(
    sampling: SamplingConfig, draws_t: Tensor, banned: Sequence[int] = ()
) -> dict[str, Any]:
    """What a request carries (``extra_args``): ``draws_t`` are from [0, 1), one a token;
    ``banned`` are never said in this turn, beside those of the engine."""
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "draws": draws_t.to(torch.float64).numpy().tobytes(),
        "banned": list(banned),
    }


@dataclass
class _RequestState:
    sampling: SamplingConfig
    banned: tuple[int, ...]
    draws_t: np.ndarray
    #: vLLM's own list: it grows with the row's tokens.
    said: list[int]

    @classmethod
    def of(cls, params: Any, prompt: list[int] | None, said: list[int]) -> _RequestState:
        choice = params.extra_args
        sampling = SamplingConfig(temperature=choice["temperature"], top_p=choice["top_p"])
        draws_t = np.frombuffer(choice["draws"], np.float64)
        return cls(sampling, tuple(choice["banned"]), draws_t, said)

    @property
    def draw(self) -> float:
        # A step more than there are tokens may be begun, whose outcome vLLM throws away.
        return float(self.draws_t[min(len(self.said), len(self.draws_t) - 1)])


class ChosenToken(LogitsProcessor):
    """Legend: r row of the batch, v vocabulary. Reads ``banned`` from the engine's
    ``additional_config``."""

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        self._banned = tuple(vllm_config.additional_config["banned"])
        self._device = device
        self._rows: dict[int, _RequestState] = {}

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: Any) -> None:
        process_dict_updates(self._rows, batch_update, _RequestState.of)

    def apply(self, logits: Tensor) -> Tensor:
        """``logits`` (r, v) with all but each row's chosen token at -inf; in place."""
        alike: dict[tuple[SamplingConfig, tuple[int, ...]], list[int]] = defaultdict(list)
        for index, row in self._rows.items():
            alike[row.sampling, row.banned].append(index)
        for (sampling, beside), indices in alike.items():
            banned = (*self._banned, *beside)
            draws = [self._rows[index].draw for index in indices]
            row_r = torch.tensor(indices, device=self._device)
            draw_r = torch.tensor(draws, dtype=torch.float64, device=self._device)
            node_r = torch.arange(len(indices), device=self._device)
            token_r, logprob_r = sample(logits[row_r], sampling, banned, node_r, draw_r)
            logits[row_r] = float("-inf")
            logits[row_r, token_r] = logprob_r
        return logits
