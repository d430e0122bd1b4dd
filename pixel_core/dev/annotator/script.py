"""Scripts of faults: which request goes wrong, and how."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pixel_core.errors import ConfigError
from pixel_core.nesting import loads, toml_loads


class ScriptedFault(StrEnum):
    """Faults of a chat request; in a batch, of one of its lines."""

    RATE_LIMIT = "rate_limit"  #: 429, with ``retry_after_s`` in the form ``retry_after_as``
    SERVER_ERROR = "server_error"  #: ``status``
    HANG = "hang"  #: nothing for ``seconds``, then the connection is closed
    CLOSE = "close"  #: the connection is closed without a response
    DROP = "drop"  #: the connection is closed in the middle of the body
    TRUNCATED = "truncated"  #: a whole response whose JSON is cut
    NOT_JSON = "not_json"  #: a page of HTML
    EMPTY = "empty"  #: no bytes
    NO_CHOICES = "no_choices"  #: JSON that is not a completion
    REFUSAL = "refusal"  #: the model refuses
    CONTENT_FILTER = "content_filter"  #: finish_reason content_filter
    CONTENT_POLICY = "content_policy"  #: 400, content_policy_violation
    LENGTH = "length"  #: finish_reason length, the answer cut
    BOX_OUTSIDE = "box_outside"
    BOX_SWAPPED = "box_swapped"
    WRONG = "wrong"  #: well-formed but false
    SAY = "say"  #: ``content`` instead of an answer
    SLOW = "slow"  #: right, after ``seconds``
    WRONG_KEY = "wrong_key"  #: 401
    UNKNOWN_MODEL = "unknown_model"  #: 404
    INSUFFICIENT_QUOTA = "insufficient_quota"  #: 429 that no retry fixes
    LINE_MISSING = "line_missing"  #: a batch's line in neither of its files
    LINE_EXPIRED = "line_expired"  #: not begun when the batch's time was over
    LINE_GARBLED = "line_garbled"  #: its line in the output is cut
    LINE_TWICE = "line_twice"  #: its line is in the output twice
    LINE_FOREIGN = "line_foreign"  #: with an extra line that was not requested
    BATCH_EXPIRED = "batch_expired"  #: when ``share`` of its lines are answered
    BATCH_FAILED = "batch_failed"  #: the input file does not pass validation
    BATCH_CANCELLED = "batch_cancelled"  #: by another client, when ``share`` are answered
    BATCH_SLOW = "batch_slow"  #: in progress for ``seconds``


#: Faults limited to certain routes; those of an answer apply to a line as well.
_ANSWERS = ("chat", "line")
_ROUTES: dict[ScriptedFault, tuple[str, ...]] = {
    **{
        fault: _ANSWERS
        for fault in ScriptedFault
        if fault
        in ("refusal", "content_filter", "length", "box_outside", "box_swapped", "wrong", "say")
    },
    **{fault: ("line",) for fault in ScriptedFault if fault.startswith("line_")},
    **{fault: ("create",) for fault in ScriptedFault if fault.startswith("batch_")},
}


class ScriptRule(BaseModel):
    """A fault, and the requests it applies to: those that meet every given condition."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    do: ScriptedFault
    #: "chat": live; "line": in a batch; "create": a batch as such; then files and the rest.
    route: Literal["chat", "line", "upload", "content", "create", "poll", "list"] = "chat"
    #: Numbers of requests on that route, from 0.
    numbers: tuple[Annotated[int, Field(ge=0)], ...] = ()
    first: Annotated[int, Field(ge=0)] = 0
    last: Annotated[int, Field(ge=0)] | None = None
    #: The share of requests, selected by digest: the same on every run.
    rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    #: Text that the first user message, and the schema's name, must contain.
    containing: str = ""
    schema_name: str = ""
    #: Most times for the same request; 0: no limit.
    tries: Annotated[int, Field(ge=0)] = 0
    #: Most times in all; 0: no limit.
    times: Annotated[int, Field(ge=0)] = 0
    status: Annotated[int, Field(ge=500, le=599)] = 503
    retry_after_s: Annotated[float, Field(ge=0)] = 0.01
    retry_after_as: Literal["seconds", "date", "ms"] = "ms"
    seconds: Annotated[float, Field(ge=0)] = 0.0
    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    content: str = ""
    #: The error code of ``batch_failed``.
    code: str = "invalid_request"

    @model_validator(mode="after")
    def _befalls_something(self) -> Self:
        routes = _ROUTES.get(self.do)
        if routes is not None and self.route not in routes:
            raise ValueError(
                f"{self.do} never befalls the route {self.route!r}: set route to "
                + " or ".join(map(repr, routes))
            )
        return self


class Script(BaseModel):
    """Rules in order: the first that applies to a request decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: tuple[ScriptRule, ...] = ()
    seed: int = 0


def read_script(path: Path) -> Script:
    """A script from a TOML or JSON file. Raises ``ConfigError``."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = loads(text) if path.suffix == ".json" else toml_loads(text)
    except OSError as error:
        raise ConfigError(f"script {path} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"script {path} is neither TOML nor JSON: {error}") from None
    try:
        return Script.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the script"
        raise ConfigError(f"script {path}, {place}: {first['msg']}") from None


class Director:
    """Chooses the rule for each request; counts the uses of each rule."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._lock = threading.Lock()
        self._used: Counter[int] = Counter()

    def rule(
        self, route: str, number: int, digest: str, repeats: int, asked: str, schema: str
    ) -> ScriptRule | None:
        """The rule for this request, which came ``repeats`` times before."""
        for index, rule in enumerate(self._script.rules):
            if (
                rule.route == route
                and (not rule.numbers or number in rule.numbers)
                and number >= rule.first
                and (rule.last is None or number <= rule.last)
                and rule.containing in asked
                and rule.schema_name in schema
                and (not rule.tries or repeats < rule.tries)
                and drawn(rule.rate, f"{self._script.seed}/{index}/{digest}")
            ):
                with self._lock:
                    if rule.times and self._used[index] >= rule.times:
                        continue
                    self._used[index] += 1
                return rule
        return None


def drawn(rate: float, name: str) -> bool:
    """Whether this name is among a share ``rate`` of all names; deterministic."""
    return number_of(name) < rate


def number_of(name: str) -> float:
    """A number from 0 to below 1, determined by the name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48
