"""The Batch API over the ``openai`` client: upload, create, look up, fetch.

Everything but creation is idempotent, so the client retries transient failures. Creation
costs money: it is tried once, then looked up.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pixel_core.config import OpenAIConfig
from pixel_core.data.annotation.requests import endpoint_of
from pixel_core.errors import EndpointError
from pixel_core.models.endpoint import failures
from pixel_core.models.endpoint.endpoint import key_of

#: The metadata key under which a batch carries our submission's id.
MARK = "pixel_submission"

#: How far the endpoint's clock may differ from ours, in seconds.
_CLOCKS = 86_400
#: What ids look like; they are logged and noted.
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,200}")
#: Errors of a file that are reported.
_TOLD = 5

T = TypeVar("T")


class BatchUnreachable(EndpointError):
    """A transient failure that outlasted the retries; the batches continue without us."""


class Uncreated(Exception):
    """It is unknown whether a batch was created: look it up."""


@dataclass(frozen=True)
class BatchState:
    """A batch as the endpoint describes it; a number is 0 until the endpoint reports it."""

    id: str
    status: str
    total: int
    completed: int
    failed: int
    output_file: str
    error_file: str
    #: If validation failed: code, line and message of the first errors.
    errors: tuple[str, ...]
    codes: frozenset[str]

    @property
    def ended(self) -> bool:
        return self.status in ("failed", "completed", "expired", "cancelled")


class BatchApi:
    """A connection to the configured endpoint. Every method raises ``EndpointError``."""

    def __init__(self, config: OpenAIConfig) -> None:
        self._config = config
        self._endpoint = endpoint_of(config)
        self._key = ""
        self._opened: Any = None

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    @property
    def _client(self) -> Any:
        """Opened on first use: a fully recorded run needs no client and no key."""
        if self._opened is None:
            import openai

            config = self._config
            self._key = key_of(self._endpoint)
            self._opened = openai.OpenAI(
                api_key=self._key,
                base_url=config.base_url,
                timeout=config.timeout_s,
                max_retries=config.max_retries,
            )
        return self._opened

    def upload(self, path: Path) -> str:
        """Upload a batch's input; returns the file's id."""

        def send() -> str:
            with path.open("rb") as file:
                sent = self._client.files.create(file=(path.name, file), purpose="batch")
                return _id(sent)

        return self._told(send)

    def create(self, file: str, submission: str) -> str:
        """Create a batch of an uploaded file; returns its id.

        Raises ``Uncreated`` when no answer came: the batch may exist all the same.
        """
        import openai

        client = self._client.with_options(max_retries=0)
        try:
            batch = client.batches.create(
                input_file_id=file,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={MARK: submission},
            )
            return _id(batch)
        except openai.RateLimitError as error:
            raise self._failure(error) from None  # rejected: nothing was created
        except openai.APIError as error:
            if failures.is_transient(error):
                raise Uncreated(str(self._failure(error))) from None
            raise self._failure(error) from None
        except ValueError as error:
            raise Uncreated(str(self._garbled(error))) from None

    def find(self, submission: str, since: float) -> str:
        """The id of the batch that bears this submission's mark; "" when there is none."""

        def search() -> str:
            for batch in self._client.batches.list(limit=100):
                if (batch.metadata or {}).get(MARK) == submission:
                    return batch.id
                if batch.created_at < since - _CLOCKS:
                    break
            return ""

        return self._told(search)

    def state(self, batch: str) -> BatchState:
        return self._told(lambda: self._state(self._client.batches.retrieve(batch)))

    def fetch(self, file: str) -> bytes:
        """A file's content; an output has a few kilobytes per request."""
        return self._redacted(self._told(lambda: self._client.files.content(file).content))

    def delete(self, file: str) -> bool:
        """Delete a file; best effort, so it raises nothing."""
        try:
            return self._told(lambda: bool(self._client.files.delete(file).deleted))
        except EndpointError:
            return False

    def _told(self, call: Callable[[], T]) -> T:
        import openai

        try:
            return call()
        except openai.APIError as error:
            # Not chained: the client's error may quote headers or the key.
            raise self._failure(error) from None
        except (ValueError, AttributeError, TypeError) as error:
            # Not JSON, or JSON of another shape that the client accepts.
            raise self._garbled(error) from None

    def _garbled(self, error: Exception) -> BatchUnreachable:
        said = failures.redacted(str(error).encode(), self._key).decode("utf-8", "replace")
        return BatchUnreachable(
            f"{self._endpoint.where} answers out of contract ({said[:100]}); check "
            "annotate.openai.base_url, or run again later"
        )

    def _failure(self, error: Any) -> EndpointError:
        """The error in our words."""
        config = self._config
        if getattr(error, "status_code", None) == 404:
            return EndpointError(
                f"{self._endpoint.where} has no Batch API, or no longer knows a file or "
                "batch of ours (HTTP 404); check annotate.openai.base_url and the account of "
                f"{config.api_key_env}, or set annotate.openai.mode to live"
            )
        said = failures.failure(error, self._endpoint, self._key, config.max_retries + 1)
        if failures.is_transient(error):
            return BatchUnreachable(f"{said}; batches that are handed in go on without us")
        return said

    def _state(self, batch: Any) -> BatchState:
        counts = batch.request_counts
        errors = (batch.errors and batch.errors.data) or []
        return BatchState(
            id=batch.id,
            status=str(batch.status),
            total=_count(counts, "total"),
            completed=_count(counts, "completed"),
            failed=_count(counts, "failed"),
            output_file=batch.output_file_id or "",
            error_file=batch.error_file_id or "",
            errors=tuple(self._told_error(error) for error in errors[:_TOLD]),
            codes=frozenset(str(error.code) for error in errors),
        )

    def _told_error(self, error: Any) -> str:
        line = "" if error.line is None else f", line {error.line}"
        said = f"{error.code or 'error'}{line}: {error.message or '(no message)'}"
        return self._redacted(said.encode()).decode("utf-8", "replace")

    def _redacted(self, data: bytes) -> bytes:
        return failures.redacted(data, self._key)


def _id(created: Any) -> str:
    """The id of the created object. ``ValueError`` for a response without one."""
    id = getattr(created, "id", None)
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise ValueError("a response without an id")
    return id


def _count(counts: Any, name: str) -> int:
    value = getattr(counts, name, None)
    return value if type(value) is int and value >= 0 else 0
