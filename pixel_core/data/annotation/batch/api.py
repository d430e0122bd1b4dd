"""The Batch API over the ``openai`` client: upload, create, look up, fetch.

Everything but creating can be done twice without harm, and the client retries it when a
failure is transient. Creating costs money: it is tried once, and looked up after.
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

#: Under this name a batch bears the id of our submission.
MARK = "pixel_submission"

#: How far the endpoint's clock may differ from ours, in seconds.
_CLOCKS = 86_400
#: What ids look like; they are told and noted.
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,200}")
#: Errors of a file that are told.
_TOLD = 5

T = TypeVar("T")


class BatchUnreachable(EndpointError):
    """A transient failure that outlasted the retries; what is under way goes on without us."""


class Uncreated(Exception):
    """Nobody knows whether a batch was created: it must be looked up."""


@dataclass(frozen=True)
class BatchState:
    """A batch as the endpoint describes it; numbers are 0 while it does not tell them."""

    id: str
    status: str
    total: int
    completed: int
    failed: int
    output_file: str
    error_file: str
    #: Of a batch that failed validation: code, line and message of each error, a few.
    errors: tuple[str, ...]
    codes: frozenset[str]

    @property
    def ended(self) -> bool:
        return self.status in ("failed", "completed", "expired", "cancelled")


class BatchApi:
    """A connection to the configured endpoint. All of it raises ``EndpointError``."""

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
        """Opened when first needed: what is all on record takes no client and no key."""
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

        Raises ``Uncreated`` when no answer came: it may have been created all the same.
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
            raise self._failure(error) from None  # it was turned away: nothing was created
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
        """A file's content: of an output, a few kilobytes a request."""
        return self._redacted(self._told(lambda: self._client.files.content(file).content))

    def delete(self, file: str) -> bool:
        """Delete a file; whether that went well matters little, so nothing is raised."""
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
            # Not JSON, or JSON of another form, which the client takes for what was wanted.
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
    """The id of what was made. ``ValueError`` for a response that has none."""
    id = getattr(created, "id", None)
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise ValueError("a response without an id")
    return id


def _count(counts: Any, name: str) -> int:
    value = getattr(counts, name, None)
    return value if type(value) is int and value >= 0 else 0
