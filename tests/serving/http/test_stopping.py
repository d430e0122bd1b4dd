"""The real ``pixel serve``: it takes signals as they are meant, and lets answers finish."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from memorised import memorised
from serving_world import CHAT, asking, known, serving

from pixel_core.errors import ConfigError
from pixel_core.serving.http.admission import Limits
from pixel_core.serving.http.server import bind

PIXEL = Path(sys.executable).with_name("pixel")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that knows four questions, as transformers saves it."""
    world, path = memorised().world, tmp_path_factory.mktemp("model") / "by-heart"
    world.model.save_pretrained(path)
    world.vocabulary.tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    dialogue = [
        f"dialogue.{section}={value}"
        for section, value in {
            "max_new_tokens": 32,
            "max_operations": 4,
            "max_tokens": 1024,
            "crop.min_pixels": 56 * 56,
            "zoom.min_side": 20,
        }.items()
    ]
    settings = [word for value in dialogue for word in ("--set", value)]
    started = subprocess.Popen(
        [str(PIXEL), "serve", "--model", ".", "--port", "0", *settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    yield started
    started.kill()
    started.communicate()


def url_of(process: subprocess.Popen[str]) -> tuple[str, str]:
    """The address it serves at, and the line that it says one may try."""
    assert process.stdout is not None
    url = ""
    for line in process.stdout:
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        url = url or (found.group() if found else "")
        if "curl" in line:
            return url, line.strip()
    raise AssertionError(process.stderr.read() if process.stderr else "")


@pytest.mark.ci
def test_it_serves_as_it_says_and_ends_at_sigterm(process: subprocess.Popen[str]) -> None:
    url, line = url_of(process)
    body = asking(1, model="by-heart")
    reply = httpx.post(url + CHAT, json=body, timeout=60).json()
    assert reply["choices"][0]["message"]["content"] == "\n\n".join(known(1)[1])
    words = shlex.split(line)
    example = json.loads(Path(words[-1].removeprefix("@")).read_text())
    assert httpx.post(words[1], json=example, timeout=60).status_code == 200
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "stopped" in err
    assert err.count(f"POST {CHAT} 200") == 2
    assert "Traceback" not in err
    assert not Path(words[-1].removeprefix("@")).exists()


@pytest.mark.slow  # a process more; as above otherwise
def test_it_ends_at_ctrl_c_as_other_programs_do(process: subprocess.Popen[str]) -> None:
    url_of(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_what_runs_may_finish() -> None:
    with serving(Limits(grace_s=20)) as endpoint:
        endpoint.engine.go_on.clear()
        replies: list[httpx.Response] = []
        asker = threading.Thread(target=lambda: replies.append(endpoint.post(asking(1))))
        asker.start()
        assert endpoint.engine.asked.wait(10)
        endpoint.server.stop()
        while not endpoint.gate.closed:
            time.sleep(0.01)
        # The port is still there to say so.
        assert endpoint.get("/health").json()["status"] == "stopping"
        refused = endpoint.post(asking())
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        endpoint.engine.go_on.set()
        asker.join(20)
        assert [reply.status_code for reply in replies] == [200]
        endpoint.thread.join(20)
        assert not endpoint.thread.is_alive()
    assert "1 requests may finish" in endpoint.said[0]


def test_a_request_that_is_still_being_sent_is_told() -> None:
    with serving(Limits(grace_s=0.2)) as endpoint, endpoint.connect() as connection:
        connection.send(
            f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
            "Content-Type: application/json\r\n\r\n{".encode()
        )
        while not endpoint.gate.reading:
            time.sleep(0.01)
        endpoint.server.stop()
        reply = b""
        while part := connection.recv(4096):
            reply += part
    assert b"503 Service Unavailable" in reply
    assert b"server_stopping" in reply


@pytest.mark.parametrize("stream", [False, True])
def test_what_does_not_finish_is_told(stream: bool) -> None:
    with serving(Limits(grace_s=0.2)) as endpoint:
        endpoint.engine.go_on.clear()
        replies: list[httpx.Response] = []
        body = asking(1, stream=stream)
        asker = threading.Thread(target=lambda: replies.append(endpoint.post(body)))
        asker.start()
        assert endpoint.engine.asked.wait(10)
        endpoint.server.stop()
        endpoint.thread.join(20)
        asker.join(20)
        assert [reply.status_code for reply in replies] == [503]
        assert replies[0].json()["error"]["code"] == "server_stopping"


def test_an_address_that_cannot_be_had() -> None:
    with pytest.raises(ConfigError, match="there is no address"):
        bind("no-such-host.invalid", 8000)
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(ConfigError, match="another --port"):
            bind("127.0.0.1", taken.getsockname()[1])
