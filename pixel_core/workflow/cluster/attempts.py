"""The attempts at one computation: one job after another, until there is an artifact.

A job's id follows from the stage's key, the generation and the attempt's number, so that a
control plane that was killed meets its job again: one that runs is followed, one that
succeeded is not run again, one that failed or was stopped gets a successor.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pixel_core.config import ClusterConfig
from pixel_core.errors import ClusterError, PixelError, StageFailed
from pixel_core.workflow.cluster.following import Followed, Follower, Listener
from pixel_core.workflow.cluster.job_file import FINAL, JobFailure, JobFile, forget_ending
from pixel_core.workflow.cluster.jobs_api import ClusterUnreachable, JobsApi, RayJob
from pixel_core.workflow.cluster.submission import job_command, job_id, store_address, submit
from pixel_core.workflow.store import Artifact, Store, StoredWorkspace
from pixel_core.workflow.store.manifest import without_credentials

#: Characters of Ray's own word on a failure that an error repeats: its end.
_SHOWN = 2000
#: Seconds between two questions to a cluster that does not answer.
_PAUSE_S = 2.0


@dataclass
class Computation:
    """What the jobs of one stage, key and generation make."""

    file: JobFile
    work: StoredWorkspace
    store: Store
    api: JobsApi
    listener: Listener
    #: Asked when the following is interrupted: whether the work is not wanted any more.
    cancelled: Callable[[], bool]
    #: The artifact that is to be replaced, if there is one.
    before: Artifact | None
    _met: bool = False

    @property
    def cluster(self) -> ClusterConfig:
        return self.file.config.cluster

    def run(self) -> Artifact:
        """Follow the jobs until one has made the artifact.

        Raises what the stage raised where another attempt would only end in the same, and
        after ``cluster.attempts`` of them.
        """
        attempt, tried = 1, 0
        while True:
            job = job_id(self.file.stage.name, self.file.key, self.file.generation, attempt)
            known = self._find(job)
            if known is not None and not known.alive:
                if known.status == "SUCCEEDED" and (artifact := self._made()):
                    return artifact
                attempt += 1
                continue
            tried += 1
            followed = self._attempt(job, attempt, submitted=known is None)
            if followed.job is not None and followed.job.status == "SUCCEEDED":
                return self._collected(job)
            if followed.job is not None and followed.job.status == "STOPPED":
                raise StageFailed(
                    f"the job {job} was stopped on the cluster; what it saved is kept, and the "
                    "same command makes another attempt that goes on from there"
                )
            error = self._failure(job, attempt, followed)
            if isinstance(error, FINAL) or tried >= self.cluster.attempts:
                raise error
            self.listener.say(
                f"attempt {attempt} of {self.file.stage.name} failed ({_shortly(error)}); "
                "another one goes on from its checkpoints"
            )

    def _find(self, job: str) -> RayJob | None:
        """A cluster that was met once is waited for, when it does not answer."""
        began = time.monotonic()
        while True:
            try:
                found = self.api.find(job)
            except ClusterUnreachable:
                if not self._met or time.monotonic() - began > self.cluster.outage_s:
                    raise
                self.listener.patience()
                time.sleep(_PAUSE_S)
            else:
                self._met = True
                return found

    def _attempt(self, job: str, attempt: int, *, submitted: bool) -> Followed:
        """Submit the job, or meet it again, and follow it to its end."""
        name, address = self.file.stage.name, self.cluster.address
        try:
            if submitted:
                self._submit(job, attempt)
                self.listener.say(f"{name} runs on {address} as the job {job}")
            else:
                self.listener.say(f"{name} runs on {address} already: following the job {job}")
            follower = Follower(self.api, job, self.listener, outage_s=self.cluster.outage_s)
            return follower.follow(whole=submitted)
        except Exception:
            raise
        except BaseException:
            self._leave(job)
            raise

    def _submit(self, job: str, attempt: int) -> None:
        self.file.put(self.work)
        forget_ending(self.work, attempt)
        command = job_command(
            store_address(self.cluster, self.store.uri),
            self.file.stage.name,
            self.file.key,
            self.file.generation,
            attempt,
        )
        place = self.file.stage.place(self.file.config)
        submit(self.api, job, command, self.cluster, place)

    def _leave(self, job: str) -> None:
        """Interrupted: stop the job if it is not wanted any more, else say how to."""
        if self.cancelled():
            try:
                self.api.stop(job)
            except ClusterError as error:
                self.listener.say(f"the job {job} could not be stopped: {error}")
            else:
                self.listener.say(f"the job {job} is stopped; what it saved is kept")
            return
        self.listener.say(
            f"the job {job} goes on; the same command follows it again. To stop it: "
            f"ray job stop --address {self.cluster.address} {job}"
        )

    def _made(self) -> Artifact | None:
        """The artifact of this computation, or one that replaced what was there before."""
        artifact = self.store.load(self.file.stage.name, self.file.key)
        if artifact is None or self.before is None:
            return artifact
        same = artifact.manifest.generation == self.before.manifest.generation
        return None if same else artifact

    def _collected(self, job: str) -> Artifact:
        artifact = self._made()
        if artifact is None:
            raise ClusterError(
                f"the job {job} ended well, but {self.store.uri} does not hold what it made; "
                f"the nodes wrote to {store_address(self.cluster, self.store.uri)}. "
                "cluster.store must be the same store, as the nodes reach it"
            )
        return artifact

    def _failure(self, job: str, attempt: int, followed: Followed) -> PixelError:
        """The error as it was raised there, or what is known of the job's end."""
        ending = JobFailure.get(self.work, attempt) or _told(followed.ending)
        error = ending.error() if ending else None
        if error is not None:
            return error
        if followed.job is None:
            return StageFailed(
                f"the cluster at {self.cluster.address} no longer knows the job {job}; it was "
                "probably started anew. What the job saved is kept: run again"
            )
        why = ending.text if ending else (followed.job.message or "it did not say why")
        return StageFailed(
            f"the job {job} failed:\n{without_credentials(why.strip())[-_SHOWN:]}\nThe same "
            "command makes another attempt, from the last checkpoint"
        )


def _told(text: str | None) -> JobFailure | None:
    """An ending from the log, where the store could not be reached to keep it."""
    if not text or not text.startswith("{"):
        return None
    return JobFailure.read(text.encode())


def _shortly(error: PixelError) -> str:
    """What a traceback ends with; of another error its first line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if any(line.startswith("Traceback") for line in lines):
        return lines[-2]  # the last one is the remedy
    return lines[0] if lines else type(error).__name__
