"""Ray's HTTP API for jobs: submit, look up, stop, follow the log, upload code.

Spoken directly, so that every request has a limit and the control plane starts no Ray. The
endpoints are those of Ray's own ``JobSubmissionClient`` and of its state API (Ray 2.55).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from pixel_core.errors import ClusterError
from pixel_core.nesting import loads
from pixel_core.workflow.store.manifest import without_credentials

JobStatus = Literal["PENDING", "RUNNING", "STOPPED", "SUCCEEDED", "FAILED"]
ALIVE: frozenset[JobStatus] = frozenset({"PENDING", "RUNNING"})
#: Characters of an answer that an error repeats.
_SHOWN = 1500


class ClusterUnreachable(ClusterError):
    """The cluster's address does not answer, or only with an error of its own."""


class RayJob(BaseModel):
    """What Ray says of a job. Times are milliseconds since the epoch."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    status: JobStatus
    message: str | None = None
    error_type: str | None = None
    start_time: int | None = None
    driver_node_id: str | None = None

    @property
    def alive(self) -> bool:
        return self.status in ALIVE


class JobsApi:
    """The Jobs API at ``http(s)://host:port``; ``timeout_s`` is a request's limit.

    Raises ``ClusterUnreachable`` where nothing (or only an error) answers, ``ClusterError``
    where the cluster refuses or answers what this does not understand. A cluster with token
    authentication is given the token of Ray's own settings.
    """

    def __init__(self, address: str, timeout_s: float) -> None:
        self.address = checked_address(address)
        self._timeout_s = timeout_s
        self._http = httpx.Client(
            base_url=self.address, timeout=timeout_s, headers=_authorization()
        )

    def close(self) -> None:
        self._http.close()

    def ray_version(self) -> str:
        """The version of Ray at the head."""
        version = self._json("GET", "/api/version").get("ray_version")
        if not isinstance(version, str):
            raise ClusterError(f"{self.address} does not say which Ray it is; is it Ray's?")
        return version

    def find(self, job_id: str) -> RayJob | None:
        """None for a job that this cluster does not know."""
        answer = self._answer("GET", f"/api/jobs/{quote(job_id, safe='')}")
        if answer.status_code == 404 and "does not exist" in answer.text:
            return None
        try:
            return RayJob.model_validate_json(self._sound(answer).content)
        except ValidationError as error:
            raise ClusterError(
                f"{self.address} answered about the job {job_id} in a form that is not "
                f"Ray 2.55's: {error}"
            ) from error

    def submit(self, job_id: str, body: Mapping[str, Any]) -> None:
        """Start a job under this id; one that is known already is a ``ClusterError``."""
        self._json("POST", "/api/jobs/", json={**body, "submission_id": job_id})

    def stop(self, job_id: str) -> bool:
        """Ask it to end; False when it does not run."""
        answer = self._json("POST", f"/api/jobs/{quote(job_id, safe='')}/stop")
        return bool(answer.get("stopped"))

    def has_package(self, name: str) -> bool:
        """Whether the cluster holds the package; if so it keeps it for some minutes."""
        answer = self._answer("GET", f"/api/packages/gcs/{name}")
        return answer.status_code != 404 and bool(self._sound(answer))

    def put_package(self, name: str, data: bytes) -> None:
        """Store a zip file as ``gcs://<name>``."""
        self._sound(self._answer("PUT", f"/api/packages/gcs/{name}", content=data))

    @contextmanager
    def log(self, job_id: str, node_id: str, lines: int) -> Iterator[LogStream]:
        """The job's log from its last ``lines`` on (-1: all of it), as it is written."""
        request = self._http.build_request(
            "GET",
            "/api/v0/logs/stream",
            params={"submission_id": job_id, "node_id": node_id, "lines": lines},
            # A job may say nothing for hours; the reader is woken from outside.
            timeout=httpx.Timeout(self._timeout_s, read=None),
        )
        try:
            response = self._http.send(request, stream=True)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        try:
            if response.status_code != 200:
                response.read()
                self._sound(response)
            yield LogStream(response)
        finally:
            response.close()

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self._sound(self._answer(method, path, **options))
        try:
            value = loads(answer.content)
        except ValueError as error:
            raise ClusterError(self._strange(answer)) from error
        if not isinstance(value, dict):
            raise ClusterError(self._strange(answer))
        return value

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _sound(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code == 200:
            return answer
        text = without_credentials(answer.text.strip())[-_SHOWN:]
        said = f"{self.address} answered {answer.status_code}: {text}"
        if answer.status_code in (401, 403):
            raise ClusterError(
                f"{said}\nSet RAY_AUTH_MODE=token and RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH) "
                "as for Ray's own commands"
            )
        if answer.status_code >= 500:
            raise ClusterUnreachable(said)
        raise ClusterError(f"{said}\nIs cluster.address that of Ray's dashboard?")

    def _strange(self, answer: httpx.Response) -> str:
        return (
            f"{self.address} answered what is not Ray's ({answer.text[:200]!r}); "
            "cluster.address is the dashboard's, as in http://host:8265"
        )

    def _unreachable(self, error: httpx.HTTPError) -> ClusterUnreachable:
        return ClusterUnreachable(
            f"no Ray cluster answers at {self.address} ({type(error).__name__}: {error}). "
            "Start it, or name another: --set cluster.address=http://host:8265"
        )


class LogStream:
    """A log as it grows. ``wake`` ends it from another thread."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    def chunks(self) -> Iterator[bytes]:
        """Raises ``ClusterUnreachable`` when the connection breaks."""
        try:
            yield from self._response.iter_raw()
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise ClusterUnreachable(f"the log's connection broke: {error}") from error

    def wake(self) -> None:
        connection = self._response.extensions["network_stream"].get_extra_info("socket")
        with suppress(OSError):  # it is closed already
            connection.shutdown(socket.SHUT_RDWR)


def checked_address(address: str) -> str:
    """``http(s)://host:port`` without a slash at its end, or a ``ClusterError``."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ClusterError(
            f"cluster.address is {without_credentials(address)!r}; it must be that of Ray's "
            "dashboard: --set cluster.address=http://host:8265"
        )
    if "@" in parts.netloc:
        raise ClusterError(
            "cluster.address must not hold credentials; a cluster with token authentication "
            "takes them from RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
        )
    return address.rstrip("/")


def _authorization() -> dict[str, str]:
    """As Ray's own clients: off, or the token of the environment or of a file."""
    if os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        return {}
    token = os.environ.get("RAY_AUTH_TOKEN", "")
    if not token:
        place = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser()
        try:
            token = place.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ClusterError(
                f"RAY_AUTH_MODE is token, RAY_AUTH_TOKEN is not set and {place} cannot be read "
                f"({error.strerror}); set one of them"
            ) from error
    return {"Authorization": f"Bearer {token}"}
