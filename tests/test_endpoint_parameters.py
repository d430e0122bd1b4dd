"""Parameters that endpoints refuse, in the words that they do it in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from pixel_core.models.endpoint.parameters import Learned, refused

SENT = json.dumps({"model": "m", "max_tokens": 9, "temperature": 0.0, "top_p": 1.0}).encode()


@dataclass
class Said:
    """As the client tells of an error."""

    message: str
    status_code: int = 400
    param: str | None = None
    code: str | None = None

    @property
    def body(self) -> dict[str, Any]:
        return {"message": self.message, "param": self.param, "code": self.code}


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (
            Said(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                "'max_completion_tokens' instead.",
                param="max_tokens",
                code="unsupported_parameter",
            ),
            "max_tokens",
        ),
        (
            Said("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'."),
            "max_tokens",
        ),
        (
            Said("Unrecognized request argument supplied: max_completion_tokens"),
            "max_completion_tokens",
        ),
        (Said("Unsupported value: 'temperature' does not support 0.0"), "temperature"),
        (Said("`temperature` and `top_p` cannot both be specified for this model."), "top_p"),
        (Said("top_p: Extra inputs are not permitted", 422), "top_p"),
        (Said("invalid temperature: only 1 is allowed for this model"), "temperature"),
        (Said("`temperature` may only be set to 1 when thinking is enabled."), "temperature"),
        (Said("temperature must be 1.0 for this model"), "temperature"),
        (Said("temperature must be set to 1"), "temperature"),
        (Said("temperature is not available for this model"), "temperature"),
        (Said("temperature must be between 0 and 2"), ""),
        (Said("max_tokens must be 1 or more"), ""),
        # Others: the value, the picture, another status.
        (Said("max_tokens is too large: 99999. This model supports at most 16384"), ""),
        (Said("This model's maximum context length is 8 tokens, you exceed it"), ""),
        (Said("Invalid image: unsupported format"), ""),
        (Said("temperature is not supported", 500), ""),
        (Said("response_format is not supported"), ""),
    ],
)
def test_what_is_refused_is_named(error: Any, name: str) -> None:
    assert refused(error) == name


def test_each_is_given_up_once_and_a_limit_only_renamed() -> None:
    learned = Learned()
    for text in ("unsupported: temperature", "unsupported: top_p", "unsupported: max_tokens"):
        assert learned.learn(Said(text), learned.now, SENT)  # type: ignore[arg-type]
    assert json.loads(learned.now.applied(SENT)) == {"model": "m", "max_completion_tokens": 9}
    assert learned.unasked == ("-temperature", "-top_p", "max_tokens>max_completion_tokens")
    neither = Said("unsupported: max_completion_tokens")
    assert not learned.learn(neither, learned.now, SENT)  # type: ignore[arg-type]
    # Who sent it before the others knew sends it again; a second refusal is the end.
    assert learned.learn(Said("unsupported: top_p"), Learned().now, SENT)  # type: ignore[arg-type]
    assert not learned.learn(Said("unsupported: top_p"), learned.now, SENT)  # type: ignore[arg-type]


def test_settings_come_first_and_are_not_told_of() -> None:
    learned = Learned(("top_p",), max_completion_tokens=True)
    assert json.loads(learned.now.applied(SENT)) == {
        "model": "m",
        "max_completion_tokens": 9,
        "temperature": 0.0,
    }
    assert learned.unasked == ()
