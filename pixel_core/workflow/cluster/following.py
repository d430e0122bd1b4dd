"""Following a job: its events become progress, its other lines go to the log.

Whether it runs is asked of Ray; what it says is read from its log. A dashboard that does not
answer says nothing about the job, which goes on by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pixel_core.workflow.cluster.job_events import JobEvent
from pixel_core.workflow.cluster.jobs_api import ClusterUnreachable, JobsApi, RayJob
from pixel_core.workflow.cluster.log_lines import LogLines, clean
from pixel_core.workflow.cluster.log_reader import Connected, LogReader, Refused
from pixel_core.workflow.stage import Progress, SilentProgress

#: Seconds between two looks at the job's state: in its first seconds, and later.
_SOON, _SELDOM = 0.5, 5.0
_FIRST_S = 15.0
#: Seconds that the last lines may take to arrive after the job ended.
_DRAIN_S = 4.0
#: Seconds of silence after which lines that may be old are told.
_SETTLE_S = 2.0
#: Seconds between two words about a dashboard that does not answer.
_REPEAT_S = 60.0
#: Seconds without a start after which a job's reason is told, and then told again.
_LATE_S = (30.0, 300.0)


@dataclass
class Listener:
    """Who hears what a job says."""

    progress: Progress = field(default_factory=SilentProgress)
    #: A sentence about the run.
    say: Callable[[str], None] = lambda sentence: None
    #: A line of the job's log.
    log: Callable[[str], None] = lambda line: None
    #: Asked about once a second; may raise to end the following.
    patience: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Followed:
    """How a job ended."""

    #: None: the cluster no longer knows it.
    job: RayJob | None
    #: The text of its last event, if that was its ``end``.
    ending: str | None
    #: Bytes of its log that were fetched.
    received: int


class Follower:
    """Follows one job to its end."""

    def __init__(
        self,
        api: JobsApi,
        job_id: str,
        listener: Listener,
        *,
        outage_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._job_id = job_id
        self._listener = listener
        self._outage_s = outage_s
        self._clock = clock
        self._lines = LogLines(self._event, listener.log)
        self._ending: str | None = None
        self._received = 0
        self._heard_at = clock()
        self._refused = False
        self._unanswered_since: float | None = None
        self._told_at = float("-inf")
        self._late_at = clock() + _LATE_S[0]

    def follow(self, *, whole: bool) -> Followed:
        """Until the job has ended. ``whole``: its log from the start, else its last lines on.

        Raises ``ClusterUnreachable`` when nothing answered for ``outage_s`` seconds; the job
        itself goes on.
        """
        began = self._clock()
        look_at = began
        with LogReader(self._api, self._job_id, whole=whole) as reader:
            while True:
                now = self._clock()
                if now >= look_at or self._ending is not None:
                    job, answered = self._look(reader)
                    if answered and (job is None or not job.alive):
                        self._drain(reader, job)
                        return Followed(job, self._ending, self._received)
                    early = now - began < _FIRST_S or not answered
                    look_at = self._clock() + (_SOON if early else _SELDOM)
                self._listener.patience()
                self._hear(reader, _SOON)

    def _look(self, reader: LogReader) -> tuple[RayJob | None, bool]:
        """The job's state now, and whether anybody answered."""
        try:
            job = self._api.find(self._job_id)
        except ClusterUnreachable as error:
            self._note_outage(error)
            return None, False
        if self._unanswered_since is not None:
            self._listener.say(f"{self._api.address} answers again")
            self._unanswered_since = None
            reader.reconnect()
        if job is not None and job.driver_node_id is not None:
            reader.start(job.driver_node_id)
        elif job is not None and self._clock() >= self._late_at:
            self._late_at = self._clock() + _LATE_S[1]
            self._listener.say(f"{self._job_id} waits: {clean(job.message or job.status)}")
        return job, True

    def _note_outage(self, error: ClusterUnreachable) -> None:
        now = self._clock()
        if self._unanswered_since is None:
            self._unanswered_since, self._told_at = now, float("-inf")
        silent = now - self._unanswered_since
        if silent > self._outage_s:
            raise ClusterUnreachable(
                f"{error}\nNothing answered for {silent:.0f} s. The job {self._job_id} goes on "
                "if its cluster does; the same command follows it again"
            ) from error
        if now - self._told_at >= _REPEAT_S:
            self._told_at = now
            self._listener.say(
                f"{self._api.address} does not answer; the job {self._job_id} goes on by "
                "itself, and is asked about again and again"
            )

    def _drain(self, reader: LogReader, job: RayJob | None) -> None:
        """Hear the last words of a job that has ended."""
        last = self._clock()
        while job is not None and self._ending is None and self._clock() - last < _DRAIN_S:
            if job.driver_node_id is None:
                break  # it never began to write
            if self._hear(reader, _SOON):
                last = self._clock()
        self._lines.finish()

    def _hear(self, reader: LogReader, wait_s: float) -> bool:
        """Pass on what came; False when nothing did."""
        heard = False
        for found in reader.ready(wait_s):
            heard = True
            if isinstance(found, Connected):
                self._lines.connected(again=found.again)
            elif isinstance(found, Refused):
                self._tell_refusal(found)
            else:
                self._received += len(found)
                self._lines.feed(found)
        now = self._clock()
        if heard:
            self._heard_at = now
        elif now - self._heard_at > _SETTLE_S:
            self._lines.settle()
        return heard

    def _tell_refusal(self, refused: Refused) -> None:
        if not self._refused:
            self._refused = True
            self._listener.log(f"the job's log cannot be read now: {clean(refused.why)}")

    def _event(self, event: JobEvent) -> None:
        if event.kind == "update":
            metrics = {
                name: value
                for name, value in event.metrics.items()
                if name.isidentifier() and name not in ("done", "total")
            }
            self._listener.progress.update(event.done, event.total, **metrics)
        elif event.kind == "note":
            self._listener.progress.note(clean(event.text))
        elif event.kind == "said":
            self._listener.say(clean(event.text))
        else:
            self._ending = event.text
