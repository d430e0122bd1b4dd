"""Parses a batch's output and error files: what became of each request."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pixel_core.config import OpenAIConfig
from pixel_core.data.annotation.account import BudgetAccount
from pixel_core.data.annotation.batch.api import BatchApi, BatchState
from pixel_core.data.annotation.batch.journal import KeptRequests, Submission
from pixel_core.errors import EndpointError
from pixel_core.models.endpoint.completion import is_answer, refusal_body
from pixel_core.models.endpoint.failures import REFUSALS
from pixel_core.nesting import loads
from pixel_core.workflow.stage import Progress, UnsharedNotes

#: The request's id in a line, as we gave it.
_WHOSE = re.compile(rb'"custom_id"\s*:\s*"([0-9a-f]{64})"')


class RequestOutcome(StrEnum):
    """What became of a request."""

    ANSWERED = "answered"
    UNUSABLE = "unusable"  #: paid for, but not a completion: retried
    TRANSIENT = "transient"  #: expired, rate-limited, server error: retried
    REFUSED_KEY = "refused_key"
    NO_QUOTA = "no_quota"
    BROKEN = "broken"  #: the endpoint will never answer this


@dataclass(frozen=True)
class LineResult:
    """``body``: for ``ANSWERED`` and ``UNUSABLE``; ``said``: for the others."""

    digest: str
    ending: RequestOutcome
    body: bytes = b""
    said: str = ""


def read_results(lines: Iterable[bytes]) -> Iterator[LineResult | None]:
    """One result per line, whatever the line holds; None for an unreadable line."""
    for line in lines:
        try:
            value = loads(line)
        except ValueError:
            yield None
            continue
        digest = value.get("custom_id") if isinstance(value, dict) else None
        yield _result(digest, value) if isinstance(digest, str) else None


def garbled_digest(line: bytes) -> str:
    """The request's digest in an unreadable line; "" when that is lost too."""
    found = _WHOSE.search(line)
    return found[1].decode() if found else ""


def _result(digest: str, value: dict[str, Any]) -> LineResult:
    response, error = value.get("response"), value.get("error")
    if isinstance(response, dict) and "status_code" in response:
        status = response["status_code"]
        content = response.get("body")
        if status == 200:
            body = json.dumps(content).encode()
            ending = RequestOutcome.ANSWERED if is_answer(body) else RequestOutcome.UNUSABLE
            return LineResult(digest, ending, body)
        inner = content.get("error") if isinstance(content, dict) else None
        return _failed(digest, status, inner)
    return _failed(digest, 0, error)


def _failed(digest: str, status: Any, error: Any) -> LineResult:
    """A response with an error status, or (status 0) no response at all."""
    code = error.get("code") if isinstance(error, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    said = " ".join(str(part) for part in (status or "", code or "", message or "") if part)
    if code in REFUSALS:  # a refusal is an answer, and free
        return LineResult(digest, RequestOutcome.ANSWERED, refusal_body(str(code)))
    if status in (401, 403):
        return LineResult(digest, RequestOutcome.REFUSED_KEY, said=said)
    if code == "insufficient_quota":
        return LineResult(digest, RequestOutcome.NO_QUOTA, said=said)
    fatal = isinstance(status, int) and 400 <= status < 500 and status not in (408, 409, 429)
    return LineResult(
        digest, RequestOutcome.BROKEN if fatal else RequestOutcome.TRANSIENT, said=said
    )


# Recording every answer of a finished batch, and classifying the failures.


#: How often one request is submitted if it fails for transient reasons.
MAX_TRIES = 3

#: Answers recorded together.
_TOGETHER = 256
#: Validation that failed with this code succeeds once other batches have ended.
_QUEUE_FULL = "token_limit_exceeded"
#: Characters of the endpoint's message that an error quotes.
_QUOTED = 300


class Settling:
    """``fetched``: digests of the answers that came in; the caller removes them."""

    def __init__(
        self, api: BatchApi, account: BudgetAccount, config: OpenAIConfig, progress: Progress
    ) -> None:
        self._api = api
        self._account = account
        self._config = config
        self._progress = progress
        #: Batches in which a request failed.
        self._failures: Counter[str] = Counter()
        self.fetched: set[str] = set()

    def set_aside(self, submission: Submission, requests: KeptRequests) -> None:
        """Reserve for requests that an earlier run submitted."""
        account = self._till_of(submission)
        for request in requests:
            if account.answer(account.digest(request)) is None:
                account.reserve(request, batch=True, sent=True)

    def settle(
        self, submission: Submission, state: BatchState, requests: KeptRequests
    ) -> EndpointError | None:
        """Record the answers; returns once all are durable.

        Returns the errors that a retry won't fix. Raises ``BatchUnreachable``, after which the
        call can be repeated.
        """
        account = self._till_of(submission)
        open_: dict[str, int] = {}
        for place, request in enumerate(requests):
            digest = account.digest(request)
            if account.answer(digest) is None:
                open_[digest] = place
            else:
                self.fetched.add(digest)  # recorded before the run was cut off
        failed = list(self._record(account, state, requests, open_))
        for place in open_.values():
            account.release(requests[place])
        answered = submission.requests - len(open_)
        self._progress.note(
            f"batch {state.id} is {state.status}: {answered} of {submission.requests} "
            "requests answered"
        )
        return self._trouble(state, submission, open_, failed)

    def _record(
        self,
        account: BudgetAccount,
        state: BatchState,
        requests: KeptRequests,
        open_: dict[str, int],
    ) -> Iterator[LineResult]:
        """Yield the failed requests; remove the answered ones from ``open_``."""
        group: dict[str, LineResult] = {}
        garbled: set[str] = set()
        failed: set[str] = set()
        unknown = 0

        def record() -> None:
            pairs = [(requests[open_[digest]], one.body) for digest, one in group.items()]
            for done in account.submit(pairs, batch=True):
                done.result()
            for digest, one in group.items():
                if one.ending is RequestOutcome.ANSWERED:
                    self.fetched.add(digest)
                    del open_[digest]
            group.clear()

        for file in filter(None, (state.output_file, state.error_file)):
            lines = [line for line in self._api.fetch(file).splitlines() if line.strip()]
            for line, result in zip(lines, read_results(lines), strict=True):
                if result is None:
                    if file == state.output_file:
                        digest = garbled_digest(line)
                        unknown += not digest
                        garbled.add(digest)
                    continue
                if result.digest not in open_ or result.digest in group:
                    continue  # never requested, or a duplicate
                if result.ending in (RequestOutcome.ANSWERED, RequestOutcome.UNUSABLE):
                    group[result.digest] = result
                    if len(group) >= _TOGETHER:
                        record()
                else:
                    failed.add(result.digest)
                    yield result
        record()
        self._count_garbled(account, state, requests, open_, garbled, unknown, failed)

    def _count_garbled(
        self,
        account: BudgetAccount,
        state: BatchState,
        requests: KeptRequests,
        open_: dict[str, int],
        garbled: set[str],
        unknown: int,
        failed: set[str],
    ) -> None:
        """Unreadable answers were charged for too, and are retried. Lines without a readable
        digest count as the dearest open requests that they can be."""
        lost = [digest for digest in open_ if digest in garbled]
        nameless = [digest for digest in open_ if digest not in garbled | failed]
        nameless.sort(key=lambda digest: account.most(requests[open_[digest]]), reverse=True)
        lost += nameless[:unknown]
        for digest in lost:
            account.garbled(requests[open_[digest]], state.id)
        if lost:
            self._progress.note(
                f"batch {state.id}: {len(lost)} answers can't be read and are asked again; "
                "they count against the budget"
            )

    def _trouble(
        self,
        state: BatchState,
        submission: Submission,
        open_: dict[str, int],
        failed: list[LineResult],
    ) -> EndpointError | None:
        """The errors that a retry won't fix; counts the requests to be retried."""
        kept = "what was answered is kept; "
        if state.status == "failed" and _QUEUE_FULL not in state.codes:
            return EndpointError(
                f"batch {state.id} did not pass the endpoint's validation: {_reasons(state)}; "
                "mend that (the model, annotate.openai.batch.max_requests or max_bytes) and "
                "run again"
            )
        if state.status == "cancelled":
            return EndpointError(
                f"batch {state.id} was cancelled with {len(open_)} of {submission.requests} "
                f"requests open; {kept}run again to ask the rest"
            )
        for ending, remedy in (
            (RequestOutcome.REFUSED_KEY, f"put a valid key in {self._config.api_key_env}"),
            (RequestOutcome.NO_QUOTA, "add credit to the key's account, then run again"),
            (
                RequestOutcome.BROKEN,
                f"the model {submission.model!r} must take pictures and a JSON schema",
            ),
        ):
            if those := [one for one in failed if one.ending is ending]:
                return EndpointError(
                    f"batch {state.id}: {len(those)} requests were turned down "
                    f"({those[0].said[:_QUOTED]}); {kept}{remedy}"
                )
        self._failures.update(list(open_))
        spent = {digest for digest in open_ if self._failures[digest] >= MAX_TRIES}
        if spent:
            last = next((one.said for one in failed if one.digest in spent), _reasons(state))
            return EndpointError(
                f"{len(spent)} requests failed in {MAX_TRIES} batches one after the other, "
                f"last in {state.id} ({last[:_QUOTED]}); {kept}run again later, with a smaller "
                "annotate.openai.batch.max_requests if the endpoint's queue is full"
            )
        return None

    def _till_of(self, submission: Submission) -> BudgetAccount:
        """The budget account for the batch's model: digests include the model's name."""
        if submission.model == self._config.model:
            return self._account
        config = self._config.model_copy(update={"model": submission.model, "budget_usd": None})
        return BudgetAccount(self._account.ledger, config, UnsharedNotes())


def _reasons(state: BatchState) -> str:
    return "; ".join(state.errors) or "no reason was given"
