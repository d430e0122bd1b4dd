"""What answers, or does not, where the cluster should be."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from real_storage import free_port

from flows import study_request
from flows.request import RunRequest
from flows.study_request import StudyRequest
from pixel_core.config import PipelineConfig
from pixel_core.errors import ClusterError, ConfigError
from pixel_core.workflow.cluster.ready import check
from pixel_core.workflow.planning import check_ready
from pixel_core.workflow.store import Store
from pixel_core.workflow.table import BY_NAME

STAGES = [BY_NAME["base_model"]]


@contextmanager
def _answering(body: bytes, after: float = 0.0) -> Iterator[str]:
    """A server that gives every question the same answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(after)
            with suppress(BrokenPipeError):  # whoever asked may have left
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _check(tmp_path: Path, **cluster: object) -> None:
    config = PipelineConfig.model_validate(
        {"base_model": {"place": {"on": "ray"}}, "cluster": cluster}
    )
    check(config, Store.open(str(tmp_path / "store")), STAGES)


def test_without_an_address_the_line_to_write_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"(?s)\[cluster\].*address = .*cluster\.address="):
        _check(tmp_path)


def test_a_run_and_a_study_ask_before_their_first_stage(tmp_path):
    """The stages before it, which run here, would be lost time."""
    away = ("sft.place.on=ray",)
    config, store, decisions = RunRequest("smoke", away, str(tmp_path)).plan()
    with pytest.raises(ConfigError, match="no cluster is named"):
        check_ready(config, store, decisions)
    _, _, store, decided = StudyRequest("learning_trap", away, str(tmp_path)).plan()
    with pytest.raises(ConfigError, match="no cluster is named"):
        study_request.check_study_ready(decided, store)


def test_an_address_where_nothing_answers_is_named(tmp_path):
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ClusterError, match=address):
        _check(tmp_path, address=address)


def test_a_service_that_is_not_rays_is_told_apart(tmp_path):
    page = b"<html>Welcome</html>"
    with _answering(page) as address, pytest.raises(ClusterError, match="dashboard") as refused:
        _check(tmp_path, address=address)
    assert address in str(refused.value)


def test_one_that_does_not_answer_is_waited_for_no_longer_than_said(tmp_path):
    """What it says in the end is not heard any more."""
    told = "no Ray cluster answers at .*Timeout"
    with _answering(b"{}", after=3) as address, pytest.raises(ClusterError, match=told):
        _check(tmp_path, address=address, timeout_s=1)


def test_an_older_ray_is_refused_with_both_versions(tmp_path):
    version = json.dumps({"version": "4", "ray_version": "2.9.3"}).encode()
    told = r"runs Ray 2\.9\.3.*ray==2\.55"
    with _answering(version) as address, pytest.raises(ClusterError, match=told):
        _check(tmp_path, address=address)


def test_a_plan_refuses_a_layout_that_contradicts_itself(tmp_path):
    overrides = ("rl.backend=openrlhf", "rl.place.on=ray", "rl.openrlhf.engines=3")
    with pytest.raises(ConfigError, match="the layout on the cluster"):
        RunRequest("smoke", overrides, str(tmp_path)).plan()
