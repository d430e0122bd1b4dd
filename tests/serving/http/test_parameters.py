"""Parameters of other servers: taken and named where they ask for nothing, else refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from serving_world import Running, asking, events_of, serving

from pixel_core.serving.http.errors import Refusal
from pixel_core.serving.http.parameters import has_no_effect

#: What clients send that send all they know.
NEUTRAL: dict[str, Any] = {
    "add_generation_prompt": True,
    "add_special_tokens": False,
    "allowed_token_ids": [],
    "bad_words": [],
    "best_of": 1,
    "chat_template_kwargs": {},
    "continue_final_message": False,
    "documents": [],
    "dry_multiplier": 0.0,
    "echo": False,
    "frequency_penalty": 0,
    "ignore_eos": False,
    "include_stop_str_in_output": False,
    "length_penalty": 1.0,
    "logit_bias": {},
    "logprobs": False,
    "max_tokens": -1,
    "min_new_tokens": 0,
    "min_p": 0.0,
    "min_tokens": 0,
    "mm_processor_kwargs": {},
    "modalities": ["text"],
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "priority": 0,
    "repeat_penalty": 1.0,
    "repetition_penalty": 1.0,
    "response_format": {"type": "text"},
    "skip_special_tokens": True,
    "spaces_between_special_tokens": True,
    "stop": [],
    "stop_token_ids": [],
    "store": False,
    "tool_choice": "auto",
    "tools": [],
    "top_k": -1,
    "top_logprobs": 0,
    "use_beam_search": False,
    "user": "me",
    "verbosity": "medium",
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Running]:
    with serving() as running:
        yield running


def test_neutral_values_are_taken_and_named(endpoint: Running) -> None:
    body = asking(**NEUTRAL, n=1)
    reply = endpoint.post(body)
    assert reply.status_code == 200, reply.text
    assert reply.json()["pixel"]["ignored"] == sorted(NEUTRAL)
    body |= {"stream": True, "stream_options": {"continuous_usage_stats": False}}
    *_, last, done = events_of(iter(endpoint.post(body).text.splitlines()))
    assert done == "[DONE]"
    assert last["pixel"]["ignored"] == sorted(NEUTRAL)


def test_null_says_that_a_parameter_is_not_given(endpoint: Running) -> None:
    nulls = dict.fromkeys(
        [*NEUTRAL, "frobnicate", "temperature", "top_p", "seed", "n", "max_tokens"]
    )
    reply = endpoint.post(asking(**nulls))
    assert reply.json()["pixel"]["ignored"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("repetition_penalty", 1.05),
        ("repetition_penalty", True),
        ("min_p", 0.1),
        ("min_p", False),
        ("top_k", 20),
        ("top_k", "-1"),
        ("presence_penalty", -0.5),
        ("logit_bias", {"5": 100}),
        ("logprobs", 0),
        ("stop", ["\n"]),
        ("stop_token_ids", [7]),
        ("guided_choice", ["a", "b"]),
        ("guided_json", {"type": "object"}),
        ("chat_template_kwargs", {"enable_thinking": False}),
        ("skip_special_tokens", False),
        ("best_of", 2),
        ("ignore_eos", True),
        ("prompt_logprobs", 1),
    ],
)
def test_another_value_is_refused_by_name_with_the_remedy(name: str, value: Any) -> None:
    with pytest.raises(Refusal, match=f"^{name} .*not supported: .*; leave it out") as refused:
        has_no_effect(name, value)
    assert (refused.value.param, refused.value.code) == (name, "unsupported_parameter")


@pytest.mark.parametrize("value", [1, 1.0])
def test_whole_and_fractional_numbers_are_the_same(value: float) -> None:
    assert has_no_effect("repetition_penalty", value)
    assert has_no_effect("min_p", value - 1)
    assert has_no_effect("top_k", -value)


def test_a_refusal_says_which_values_are_taken(endpoint: Running) -> None:
    reply = endpoint.post(asking(top_k=20))
    message = json.loads(reply.text)["error"]["message"]
    assert message.startswith("top_k 20 is not supported")
    assert message.endswith("leave it out, or send -1 or 0")


def test_a_name_nobody_knows(endpoint: Running) -> None:
    assert endpoint.post(asking(topk=1)).json()["error"]["code"] == "unknown_parameter"


def test_whole_numbers_may_be_written_with_a_point(endpoint: Running) -> None:
    whole = endpoint.post(asking(max_tokens=3, seed=7, temperature=1)).json()
    pointed = endpoint.post(asking(max_tokens=3.0, seed=7.0, temperature=1.0)).json()
    assert pointed["pixel"]["turns"] == whole["pixel"]["turns"]
    assert endpoint.post(asking(max_tokens=3.5)).status_code == 400
    assert endpoint.post(asking(max_tokens=-2)).status_code == 400
