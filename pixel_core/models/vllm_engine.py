"""The engine for GPUs: vLLM in this process, behind the same seam as the embedded engine.

Transcripts go in as token ids with their pictures; nothing is decoded or tokenised again.
Turns of one episode reuse each other's keys and values through vLLM's prefix cache. Tokens
are chosen as the embedded engine chooses them (``vllm_choice.py``): from the same seed, both
say the same up to rounding.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pixel_core.config import DialogueConfig, SamplingConfig, VllmConfig
from pixel_core.errors import ConfigError, DataError, StageFailed
from pixel_core.models.sampling import uniform
from pixel_core.models.vllm_inputs import (
    check_folder,
    check_room,
    dress,
    head_rows,
    largest_area,
    prompt_of,
)
from pixel_core.rollout.engine import Completion
from pixel_core.rollout.transcript import Transcript
from pixel_core.rollout.vocabulary import Vocabulary

#: The least a picture takes of a context: its tags and one token.
_LEAST_PICTURE = 3


class VllmEngine:
    """Generates with the model in ``model_folder``; sampling follows ``seed`` alone.

    ``random_weights``: the architecture of ``config.json`` with made-up weights, for
    measurements. One is used at a time in a process: closing an engine takes down what vLLM
    keeps for all of them, so that others generate no more (0.32.0).

    Raises ``ConfigError`` where vLLM is not installed, and ``DataError`` for a folder that
    vLLM cannot load.
    """

    #: Engines of this process; what vLLM keeps for all of them goes with the last.
    _opened = 0

    def __init__(
        self,
        model_folder: Path,
        vocabulary: Vocabulary,
        dialogue: DialogueConfig,
        config: VllmConfig,
        seed: int = 0,
        random_weights: bool = False,
    ) -> None:
        model_config = check_folder(model_folder)
        rows = head_rows(model_config)
        check_room(model_config, dialogue)
        _check_installed()
        unused = range(len(vocabulary.tokenizer), rows)
        banned = tuple(sorted({*vocabulary.banned, *unused}))
        self.vocabulary = replace(vocabulary, banned=banned)
        self._dialogue = dialogue
        self._folder = model_folder
        self._config = config
        self._largest = largest_area(dialogue)
        self._generator = torch.Generator().manual_seed(seed)
        #: Tokens of all prompts so far, and how many of them the prefix cache held.
        self.prompt_tokens = self.reused_tokens = 0
        self._dressed = TemporaryDirectory(prefix="pixel-vllm-")
        dress(model_folder, Path(self._dressed.name), dialogue)
        try:
            self._llm = self._open(random_weights)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            self._dressed.cleanup()
            raise DataError(f"vLLM could not load {model_folder}: {error}") from error
        VllmEngine._opened += 1

    def _open(self, random_weights: bool) -> Any:
        # In this process: an engine that is killed leaves nothing behind on the GPU, and new
        # weights are handed over without a copy through a pipe.
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        # The newer runner takes logits processors of another form.
        os.environ["VLLM_USE_V2_MODEL_RUNNER"] = "0"
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        from vllm import LLM

        return LLM(
            self._dressed.name,
            dtype=self._config.dtype,
            load_format="dummy" if random_weights else "auto",
            tensor_parallel_size=self._config.tensor_parallel,
            gpu_memory_utilization=self._config.gpu_memory,
            max_num_seqs=self._config.max_sequences,
            max_num_batched_tokens=self._config.batched_tokens or None,
            enforce_eager=self._config.eager,
            enable_prefix_caching=True,
            max_model_len=self._dialogue.max_tokens,
            # No limit of our own: max_pictures counts a video as one, the episode loop sees
            # to it, and the context bounds both.
            limit_mm_per_prompt={
                "image": self._dialogue.max_tokens // _LEAST_PICTURE,
                "video": 0,
            },
            # Not the model's generation_config.json: what ends a turn is said here.
            generation_config="vllm",
            logits_processors=["pixel_core.models.vllm_choice:ChosenToken"],
            logprobs_mode="processed_logits",
            additional_config={"banned": list(self.vocabulary.banned)},
        )

    def reseed(self, seed: int) -> None:
        self._generator.manual_seed(seed)

    def forget(self) -> None:
        """Nothing: the prefix cache makes room by itself, and ``load_weights`` empties it."""

    def hold(self, transcripts: Sequence[Transcript]) -> None:
        """Nothing, for the same reason."""

    def generate(
        self,
        transcripts: Sequence[Transcript],
        sampling: SamplingConfig,
        max_new_tokens: int,
        banned: Sequence[int] = (),
        seeds: Sequence[int] | None = None,
    ) -> list[Completion]:
        if not transcripts:
            return []
        longest = max(map(len, transcripts))
        if longest + max_new_tokens > self._dialogue.max_tokens:
            raise ValueError(
                f"a transcript of {longest} tokens leaves no room for {max_new_tokens} more in "
                f"dialogue.max_tokens {self._dialogue.max_tokens}"
            )
        image = self.vocabulary.image
        # One a row and token, as the embedded engine draws them.
        draws_rt = uniform((len(transcripts), max_new_tokens), self._generator, seeds)
        outputs = self._llm.generate(
            [prompt_of(transcript, image, self._largest) for transcript in transcripts],
            [self._params(sampling, draws_t, banned) for draws_t in draws_rt],
            use_tqdm=False,
        )
        return [
            self._completion(transcript, output)
            for transcript, output in zip(transcripts, outputs, strict=True)
        ]

    def _params(self, sampling: SamplingConfig, draws_t: Tensor, banned: Sequence[int]) -> Any:
        from vllm import SamplingParams

        from pixel_core.models.vllm_choice import choice_of

        return SamplingParams(
            temperature=0.0,
            max_tokens=len(draws_t),
            logprobs=0,
            stop_token_ids=[self.vocabulary.turn_end],
            ignore_eos=True,
            detokenize=False,
            extra_args=choice_of(sampling, draws_t, banned),
        )

    def _completion(self, transcript: Transcript, output: Any) -> Completion:
        if list(output.prompt_token_ids) != transcript.tokens:
            raise StageFailed(
                f"vLLM read a prompt of {len(output.prompt_token_ids)} tokens where the "
                f"transcript has {len(transcript)}: it resized or wrote out a picture wrongly"
            )
        self.prompt_tokens += len(transcript)
        self.reused_tokens += output.num_cached_tokens or 0
        (said,) = output.outputs
        tokens = list(said.token_ids)
        logprobs = [
            float(of[token].logprob) for token, of in zip(tokens, said.logprobs, strict=True)
        ]
        if said.finish_reason not in ("stop", "length") or not tokens:
            raise StageFailed(f"vLLM gave up a turn: {said.finish_reason!r}")
        if not all(map(math.isfinite, logprobs)):
            raise DataError(
                f"{self._folder} gives log-probabilities that are no numbers: its weights are "
                "damaged, or engine.vllm.dtype is too narrow for them"
            )
        return Completion(tokens, logprobs, finished=tokens[-1] == self.vocabulary.turn_end)

    def load_weights(self, weights: Iterable[tuple[str, Tensor]]) -> None:
        """Take new weights, named as the model's own ``state_dict`` names them.

        Everything computed with the old ones is dropped: pictures already encoded, pictures
        already processed, and keys and values of prompts seen before. Raises ``DataError``
        when there are fewer than the model has: the rest would silently stay old.
        """
        if self._config.tensor_parallel > 1:
            raise ConfigError(
                "engine.vllm.tensor_parallel above 1 keeps the weights in other processes, to "
                "which none are handed: start another engine with the new model"
            )
        loaded: set[str] = set()

        def counted() -> Iterable[tuple[str, Tensor]]:
            for name, weight in weights:
                loaded.add(name)
                yield name, weight

        self._llm.collective_rpc("reload_weights", kwargs={"weights_iterator": counted()})
        self._llm.llm_engine.reset_encoder_cache()
        self._llm.reset_mm_cache()
        self._llm.reset_prefix_cache()
        expected = _tensors(self._folder)
        if len(loaded) < expected:
            raise DataError(
                f"{len(loaded)} weights were given and {self._folder} has {expected}: the "
                "others would stay as they were; give all of them"
            )

    def close(self) -> None:
        """End the engine and free its memory. Nothing else may be asked of it then."""
        from vllm.distributed import cleanup_dist_env_and_memory

        self._llm.llm_engine.engine_core.shutdown()
        del self._llm
        self._dressed.cleanup()
        VllmEngine._opened -= 1
        if not VllmEngine._opened:
            cleanup_dist_env_and_memory()


def _check_installed() -> None:
    found = find_spec("vllm")
    # A folder that happens to have this name is found too, and has no origin.
    if found is None or found.origin is None:
        raise ConfigError(
            "engine.kind 'vllm' needs vLLM, which this environment lacks: run the stage where "
            "the GPU plane's image is (place.on = \"ray\"), or set engine.kind = 'embedded'"
        )


def _tensors(folder: Path) -> int:
    """How many tensors the folder's weights are."""
    total = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            total += len(weights.keys())
    return total
