"""One turn of an episode, asked of OpenRLHF's vLLM actor.

The actor's ``generate`` takes token ids, vLLM's sampling parameters and pictures. What our
episodes ask differs from what OpenRLHF prepared: a limit a turn instead of one an episode,
the turn's end as the only stop, and tokens that are never sampled.
"""

from __future__ import annotations

from typing import Any, Protocol

from pixel_core.errors import StageFailed
from pixel_core.models.vllm_inputs import prompt_of
from pixel_core.rollout.engine import Completion
from pixel_core.rollout.transcript import Transcript
from pixel_core.rollout.vocabulary import Vocabulary

#: The least that vLLM allows. A banned token then has e^-100 times the weight of its logit.
_NEVER = -100.0
#: How vLLM says that a turn came to its end, or to its limit.
_ENDINGS = frozenset({"stop", "length"})


class EngineActor(Protocol):
    """The actor that holds an engine (OpenRLHF's ``RolloutRayActor``)."""

    async def generate(
        self, prompt_token_ids: list[int], sampling_params: Any, multi_modal_data: Any = None
    ) -> Any: ...


def turn_params(given: Any, vocabulary: Vocabulary, max_new_tokens: int) -> Any:
    """vLLM's parameters of one turn, of the class that OpenRLHF uses.

    Its ``min_tokens`` of 1 would forbid ending a turn at once, and rescale the first
    token's probabilities; ours is 0.
    """
    return type(given)(
        temperature=given.temperature,
        top_p=given.top_p,
        max_tokens=max_new_tokens,
        min_tokens=0,
        stop_token_ids=[vocabulary.turn_end],
        logit_bias=dict.fromkeys(vocabulary.banned, _NEVER),
        skip_special_tokens=False,
        logprobs=given.logprobs,
    )


def request(transcript: Transcript, image: int, largest: int) -> tuple[list[int], Any]:
    """Token ids with one placeholder a picture, and the pictures at the size shown."""
    prompt = prompt_of(transcript, image, largest)
    return prompt["prompt_token_ids"], prompt.get("multi_modal_data")


def completion_of(output: Any, vocabulary: Vocabulary, max_new_tokens: int) -> Completion:
    """What was sampled. Log-probabilities are 0 where OpenRLHF asked for none.

    Raises ``StageFailed`` for an answer out of contract: an aborted request, too many
    tokens, or tokens that were never to be sampled.
    """
    if output is None or not output.outputs:
        raise StageFailed("vLLM gave no output for a turn; its own log says why")
    said = output.outputs[0]
    tokens = [int(token) for token in said.token_ids]
    if said.finish_reason not in _ENDINGS or not 0 < len(tokens) <= max_new_tokens:
        raise StageFailed(
            f"vLLM ended a turn with {said.finish_reason!r} after {len(tokens)} tokens of at "
            f"most {max_new_tokens}: it was aborted, or is not the version that was asked for"
        )
    if banned := set(tokens).intersection(vocabulary.banned):
        raise StageFailed(
            f"vLLM sampled the tokens {sorted(banned)}, which are banned: its logit_bias did "
            "not work; check the vLLM version"
        )
    if vocabulary.turn_end in tokens[:-1]:
        raise StageFailed("vLLM sampled on after a turn's end: its stop_token_ids did not work")
    logprobs = [0.0] * len(tokens)
    if said.logprobs is not None:
        logprobs = [
            float(found[token].logprob)
            for token, found in zip(tokens, said.logprobs, strict=True)
        ]
    return Completion(tokens, logprobs, finished=tokens[-1] == vocabulary.turn_end)
