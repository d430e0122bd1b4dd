"""Submits batches and fetches the results, so that a kill never costs money twice.

Order of the notes: see ``journal.py``. Answers are recorded before their batch is forgotten.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from pixel_core.config import OpenAIConfig
from pixel_core.config.annotate import BatchConfig
from pixel_core.data.annotation.account import BudgetAccount
from pixel_core.data.annotation.batch.api import BatchApi, BatchUnreachable, Uncreated
from pixel_core.data.annotation.batch.collect import Settling
from pixel_core.data.annotation.batch.journal import (
    BatchNotes,
    KeptRequests,
    RequestPacker,
    Submission,
)
from pixel_core.data.annotation.requests import AnnotationRequest
from pixel_core.errors import ConfigError, EndpointError
from pixel_core.workflow.stage import Progress

# The input file of a batch, written a request at a time within its limits.


#: The endpoint of a batch's requests, as its lines name it.
ENDPOINT = "/v1/chat/completions"


class BatchInput:
    """Lines with ``custom_id`` = the request's digest, in a file that is deleted afterwards."""

    def __init__(self, path: Path, config: BatchConfig) -> None:
        self.path = path
        self._config = config
        self._file = path.open("wb")
        self._packer = RequestPacker()
        self._bytes = 0
        self.count = 0

    def __enter__(self) -> BatchInput:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def add(self, digest: str, request: AnnotationRequest, body: dict[str, Any]) -> bool:
        """Write a request; False, with nothing written, when the file is full.

        Raises ``ConfigError`` for one that does not fit into an empty file.
        """
        value = {"custom_id": digest, "method": "POST", "url": ENDPOINT, "body": body}
        line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
        config = self._config
        if self.count and self._bytes + len(line) > config.max_bytes:
            return False
        if len(line) > config.max_bytes:
            raise ConfigError(
                f"one request has {len(line):,} bytes with its pictures, over "
                f"annotate.openai.batch.max_bytes {config.max_bytes:,}; raise that, or lower "
                "annotate.openai.max_picture_pixels"
            )
        self._file.write(line)
        self._packer.add(request)
        self._bytes += len(line)
        self.count += 1
        return True

    @property
    def full(self) -> bool:
        return self.count >= self._config.max_requests

    def finish(self) -> bytes:
        """Complete the file; returns its requests, packed for the notes."""
        self._file.close()
        return self._packer.packed()


#: Consecutive failed polls before the run gives up; the batches continue without it.
_FAILED_POLLS = 20
#: Seconds after which an interrupted create request can no longer arrive.
SETTLED_S = 2.0
#: Seconds before the first retry of creation; doubled each time.
FIRST_WAIT_S = 0.5


class BatchOffice:
    """``fetched``: digests of the answers that came in; the caller removes them."""

    def __init__(
        self,
        api: BatchApi,
        notes: BatchNotes,
        account: BudgetAccount,
        config: OpenAIConfig,
        progress: Progress,
    ) -> None:
        self._api = api
        self._notes = notes
        self._account = account
        self._config = config
        self._progress = progress
        self._settling = Settling(api, account, config, progress)

    @property
    def fetched(self) -> set[str]:
        return self._settling.fetched

    def hand_in(self, batch: BatchInput) -> None:
        """Upload the file and create its batch."""
        config = self._config
        packed = batch.finish()
        submission = self._notes.begin(config.base_url, config.model, batch.count, packed)
        try:
            file = self._api.upload(batch.path)
        except EndpointError:
            self._drop(submission)
            raise
        submission = self._notes.uploaded(submission, file)
        submission = self._create(submission)
        self._progress.note(
            f"batch {submission.batch} is handed in: {submission.requests} requests"
        )

    def under_way(self) -> list[Submission]:
        """Batches submitted at this endpoint and not fetched yet."""
        return [
            submission
            for submission in self._notes.open()
            if submission.base_url == self._config.base_url
        ]

    def adopt(self) -> None:
        """Take over what an interrupted run submitted, or was about to."""
        for submission in self._notes.open():
            if submission.base_url != self._config.base_url:
                self._progress.note(
                    f"batch {submission.batch or submission.id} was handed in at "
                    f"{submission.base_url} and is left alone; set annotate.openai.base_url "
                    "to that to fetch it"
                )
            elif not submission.file:
                self._drop(submission)  # nothing can have been created
            else:
                self._adopt(submission)

    def collect(self) -> None:
        """Wait until all batches have ended and all their answers are recorded.

        Raises ``EndpointError`` for errors that waiting won't fix, once all answers are safe.
        """
        pending = self.under_way()
        handed_in = sum(submission.requests for submission in pending)
        fetched = failed_polls = 0
        troubles: list[EndpointError] = []
        while pending:
            answered, still = fetched, []
            for submission in pending:
                try:
                    state = self._api.state(submission.batch)
                except BatchUnreachable as error:
                    failed_polls = self._missed(error, failed_polls)
                    still.append(submission)
                    continue
                failed_polls = 0
                if not state.ended:
                    still.append(submission)
                    answered += state.completed + state.failed
                    continue
                try:
                    with self._requests(submission) as requests:
                        trouble = self._settling.settle(submission, state, requests)
                except BatchUnreachable as error:  # in the middle of fetching: try again
                    failed_polls = self._missed(error, failed_polls)
                    still.append(submission)
                    continue
                self._drop(submission)
                if trouble is not None:
                    troubles.append(trouble)
                fetched += submission.requests
                answered += submission.requests
            pending = still
            self._progress.update(answered, handed_in, batches_under_way=len(pending))
            if pending:
                time.sleep(self._config.batch.poll_s)
        if troubles:
            raise troubles[0]

    def _adopt(self, submission: Submission) -> None:
        with self._requests(submission) as requests:
            self._settling.set_aside(submission, requests)
        if not submission.batch:
            time.sleep(max(0.0, min(SETTLED_S, submission.at + SETTLED_S - time.time())))
            found = self._api.find(submission.id, submission.at)
            submission = (
                self._notes.created(submission, found) if found else self._create(submission)
            )
        self._progress.note(
            f"going on with batch {submission.batch} of an earlier run: "
            f"{submission.requests} requests"
        )

    def _create(self, submission: Submission) -> Submission:
        """Create exactly one batch; an attempt whose answer was lost is looked up."""
        last: Exception = EndpointError("")
        for attempt in range(self._config.max_retries + 1):
            if attempt:
                time.sleep(min(8.0, FIRST_WAIT_S * 2**attempt) * random.uniform(0.5, 1.0))
            try:
                batch = self._api.create(submission.file, submission.id)
            except Uncreated as error:
                last = BatchUnreachable(str(error))
                time.sleep(SETTLED_S)
                batch = self._api.find(submission.id, submission.at)
            except BatchUnreachable as error:
                last, batch = error, ""
            except EndpointError:
                self._drop(submission)
                raise
            if batch:
                return self._notes.created(submission, batch)
        raise last

    def _missed(self, error: BatchUnreachable, before: int) -> int:
        """Count one more failed poll in a row; raises when there are too many."""
        if before + 1 >= _FAILED_POLLS:
            raise error
        if not before:
            self._progress.note(f"polling goes on: {error}")
        return before + 1

    def _requests(self, submission: Submission) -> KeptRequests:
        return KeptRequests(self._notes.packed(submission))

    def _drop(self, submission: Submission) -> None:
        """Forget a submission with nothing left to come; delete its uploaded pictures."""
        self._notes.forget(submission)
        if submission.file and not self._api.delete(submission.file):
            self._progress.note(f"the uploaded file {submission.file} could not be deleted")
