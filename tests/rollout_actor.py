"""A vLLM actor as OpenRLHF's agents see it, that writes given turns instead of sampling.

It keeps to vLLM's contract: one placeholder a picture, pictures of whole visual tokens, at
most ``max_tokens`` tokens, an end only at a stop token, nothing that is banned.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from pixel_core.rollout.vocabulary import Vocabulary


@dataclass
class Params:
    """The fields of vLLM's SamplingParams that are used."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int | None = None
    min_tokens: int = 1
    stop_token_ids: list[int] = field(default_factory=list)
    logit_bias: dict[int, float] | None = None
    skip_special_tokens: bool = False
    logprobs: int | None = None


class RolloutActor:
    """Each rollout, in the order in which they ask first, says the texts of one script.

    A text ends its turn unless ``max_tokens`` cuts it. ``fails_at``: the number of the ask,
    from 0, that is answered as vLLM answers an aborted request.
    """

    def __init__(
        self, vocabulary: Vocabulary, scripts: list[list[str]], fails_at: int = -1
    ) -> None:
        self.vocabulary = vocabulary
        self.asked: list[tuple[list[int], Any, list[Any]]] = []
        self._waiting = [list(script) for script in scripts]
        #: Scripts under way, with all that was shown and said so far.
        self._begun: list[tuple[list[int], list[str]]] = []
        self._fails_at = fails_at

    async def generate(
        self, prompt_token_ids: list[int], sampling_params: Any, multi_modal_data: Any = None
    ) -> Any:
        number = len(self.asked)
        images = (multi_modal_data or {}).get("image", [])
        self.asked.append((list(prompt_token_ids), sampling_params, images))
        assert prompt_token_ids.count(self.vocabulary.image) == len(images)
        assert all(side % 28 == 0 for image in images for side in image.size)
        await asyncio.sleep(0.001 * (number % 3))  # they overtake one another
        if number == self._fails_at:
            return _output([], "abort")
        texts = self._script_of(prompt_token_ids)
        tokens = [*self.vocabulary.encode_plain(texts.pop(0)), self.vocabulary.turn_end]
        tokens = tokens[: sampling_params.max_tokens]
        assert not set(tokens) & set(sampling_params.logit_bias)
        self._begun.append(([*prompt_token_ids, *tokens], texts))
        ended = tokens[-1] in sampling_params.stop_token_ids
        return _output(tokens, "stop" if ended else "length")

    def _script_of(self, prompt: list[int]) -> list[str]:
        """Of the rollout whose words the prompt goes on from; a new one's otherwise."""
        for place, (history, texts) in enumerate(self._begun):
            if texts and prompt[: len(history)] == history:
                del self._begun[place]
                return texts
        return self._waiting.pop(0)


def _output(tokens: list[int], reason: str) -> Any:
    logprobs = [{token: SimpleNamespace(logprob=-0.5)} for token in tokens]
    said = SimpleNamespace(token_ids=tokens, finish_reason=reason, logprobs=logprobs, text="")
    return SimpleNamespace(outputs=[said])
