"""Other servers' parameters: which are ignored, which are refused, and why.

OpenAI's API reference ("Create chat completion"), vLLM's documentation ("OpenAI-Compatible
Server", extra parameters of the chat API), SGLang's ("Sampling Parameters") and llama.cpp's
("llama-server", completion options) name them. Clients often send every parameter they know
at neutral values: those are accepted and listed in the reply. Others are refused, since the
answer would not be what the client asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pixel_core.serving.http.errors import Refusal, bad_request

#: Never change an answer here.
_WITHOUT_EFFECT = frozenset(
    {
        "cache_prompt",
        "cache_salt",
        "guided_decoding_backend",
        "metadata",
        "parallel_tool_calls",
        "priority",
        "prompt_cache_key",
        "prompt_cache_retention",
        "request_id",
        "return_progress",
        "rid",
        "safety_identifier",
        "service_tier",
        "store",
        "stream_reasoning",
        "timings_per_token",
        "user",
    }
)

_SAMPLED = "the model is sampled as it was trained, by temperature and top_p alone"
_ENDS = "a turn ends where the model ends it"
_FREE = "answers are free text; pixel.choices gives options to choose from"
_PROMPT = "the prompt is the one that the model was trained on"
_SHOWN = "pictures are shown as the model was trained to see them"
_TEXT = "answers are text"
_TOKENS = "the reply holds text and no tokens"

#: The neutral values, and why others can't be honoured.
_LIMITED: Mapping[str, tuple[tuple[Any, ...], str]] = {
    # OpenAI's
    "tools": (([],), "the model has its own operations, and the server carries them out"),
    "tool_choice": (("none", "auto"), "there are no tools to choose from"),
    "functions": (([],), "the model has its own operations"),
    "function_call": (("none", "auto"), "there are no functions"),
    "response_format": (({"type": "text"},), _FREE),
    "stop": (([], ""), _ENDS),
    "logprobs": ((False,), "an answer of several turns has no one list of them"),
    "top_logprobs": ((0,), "log-probabilities are not given"),
    "logit_bias": (({},), "tokens can't be made likelier"),
    "frequency_penalty": ((0,), _SAMPLED),
    "presence_penalty": ((0,), _SAMPLED),
    "modalities": ((["text"],), _TEXT),
    "audio": ((), _TEXT),
    "prediction": ((), "there are no predicted outputs"),
    "reasoning_effort": (("medium",), "the model thinks as much as it was trained to"),
    "verbosity": (("medium",), "the model writes as much as it was trained to"),
    "web_search_options": ((), "there is no search"),
    "moderation": ((), "there is no moderation"),
    # vLLM's, about sampling
    "best_of": ((1,), "ask again for another answer"),
    "use_beam_search": ((False,), _SAMPLED),
    "top_k": ((-1, 0), _SAMPLED),
    "min_p": ((0,), _SAMPLED),
    "typical_p": ((1,), _SAMPLED),
    "repetition_penalty": ((1,), _SAMPLED),
    "length_penalty": ((1,), _SAMPLED),
    "repetition_detection": ((), _ENDS),
    "stop_token_ids": (([],), _ENDS),
    "include_stop_str_in_output": ((False,), _ENDS),
    "ignore_eos": ((False,), _ENDS),
    "min_tokens": ((0,), _ENDS),
    "thinking_token_budget": ((-1,), _ENDS),
    "bad_words": (([],), "tokens can't be forbidden"),
    "allowed_token_ids": (([],), "tokens can't be forbidden"),
    "logits_processors": (([],), _SAMPLED),
    "vllm_xargs": (({},), _SAMPLED),
    # vLLM's, about the answer
    "guided_json": (({}, ""), _FREE),
    "guided_regex": (("",), _FREE),
    "guided_choice": (([],), _FREE),
    "guided_grammar": (("",), _FREE),
    "guided_whitespace_pattern": (("",), _FREE),
    "structured_outputs": (({},), _FREE),
    "structural_tag": (("",), _FREE),
    "include_reasoning": ((True,), "the reply holds all that the model wrote"),
    "skip_special_tokens": ((True,), _TOKENS),
    "spaces_between_special_tokens": ((True, False), _TOKENS),
    "return_tokens_as_token_ids": ((False,), _TOKENS),
    "return_token_ids": ((False,), _TOKENS),
    "prompt_logprobs": ((), "log-probabilities are not given"),
    "return_hidden_states": ((False,), _TOKENS),
    # vLLM's, about the prompt
    "echo": ((False,), "the reply holds the answer alone"),
    "add_generation_prompt": ((True,), _PROMPT),
    "continue_final_message": ((False,), _PROMPT),
    "add_special_tokens": ((False,), _PROMPT),
    "documents": (([],), _PROMPT),
    "chat_template": (("",), _PROMPT),
    "chat_template_kwargs": (({},), _PROMPT),
    "truncate_prompt_tokens": ((-1,), _PROMPT),
    "mm_processor_kwargs": (({},), _SHOWN),
    "media_io_kwargs": (({},), _SHOWN),
    "kv_transfer_params": (({},), "there is one engine"),
    # SGLang's
    "min_new_tokens": ((0,), _ENDS),
    "stop_regex": (([], ""), _ENDS),
    "no_stop_trim": ((False,), _ENDS),
    "regex": (("",), _FREE),
    "ebnf": (("",), _FREE),
    "json_schema": ((), _FREE),
    "separate_reasoning": ((True,), "the reply holds all that the model wrote"),
    "lora_path": ((), "there is one model"),
    # llama.cpp's and other local servers', which name the same things differently
    "repeat_penalty": ((1,), _SAMPLED),
    "top_n_sigma": ((-1,), _SAMPLED),
    "top_a": ((0,), _SAMPLED),
    "tfs_z": ((1,), _SAMPLED),
    "epsilon_cutoff": ((0,), _SAMPLED),
    "eta_cutoff": ((0,), _SAMPLED),
    "mirostat": ((0,), _SAMPLED),
    "dynatemp_range": ((0,), _SAMPLED),
    "xtc_probability": ((0,), _SAMPLED),
    "dry_multiplier": ((0,), _SAMPLED),
    "no_repeat_ngram_size": ((0,), _SAMPLED),
    "num_beams": ((1,), _SAMPLED),
    "n_predict": ((-1,), _ENDS),
    "n_probs": ((0,), "log-probabilities are not given"),
    "grammar": (("",), _FREE),
}


def has_no_effect(name: str, value: Any) -> bool:
    """Whether this parameter would not change the answer, so that the reply must list it.
    False for null, which means "not given", whatever the name.

    Raises ``Refusal`` 400 for a value that can't be honoured, and for an unknown name.
    """
    if value is None:
        return False
    if name in _WITHOUT_EFFECT:
        return True
    if name not in _LIMITED:
        raise bad_request(
            f"there is no parameter {name[:60]!r}: leave it out", name[:60], "unknown_parameter"
        )
    neutral, why = _LIMITED[name]
    if not any(_same(value, one) for one in neutral):
        raise _unsupported(name, value, neutral, why)
    return True


def _unsupported(name: str, value: Any, neutral: tuple[Any, ...], why: str) -> Refusal:
    others = " or ".join(map(repr, neutral))
    return bad_request(
        f"{name} {repr(value)[:60]} is not supported: {why}; leave it out"
        f"{f', or send {others}' if neutral else ''}",
        name,
        "unsupported_parameter",
    )


def _same(value: Any, neutral: Any) -> bool:
    """1 and 1.0 are equal; True is not a number."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and not isinstance(neutral, bool):
        return bool(value == neutral)
    return type(value) is type(neutral) and bool(value == neutral)
