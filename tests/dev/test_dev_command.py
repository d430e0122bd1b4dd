"""``pixel dev annotator`` as a newcomer starts it: in a process of its own."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
from drawn_requests import look, scene
from typer.testing import CliRunner

from flows.cli.main import app
from pixel_core.config.profile import load_profile


def test_it_serves_says_how_to_use_it_and_ends_on_ctrl_c() -> None:
    command = [sys.executable, "-m", "flows.cli.main", "dev", "annotator", "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        told = ""
        while "Ctrl-C ends" not in told:
            line = process.stdout.readline()
            assert line, process.communicate()
            told += line
        assert "not a model" in told
        (printed,) = re.findall(r"^ +(OPENAI_API_KEY=none pixel run .*)$", told, re.MULTILINE)
        words = shlex.split(printed)
        settings = [words[at + 1] for at, word in enumerate(words) if word == "--set"]
        # The line as printed is a valid one.
        openai = load_profile("tiny", settings).annotate.openai
        url = f"{openai.base_url}/chat/completions"
        answer = httpx.post(url, json=look(5), headers={"Authorization": "Bearer none"})
        assert (
            f'"answer": "{scene(5).cards[0].digit}"'
            in answer.json()["choices"][0]["message"]["content"]
        )
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "1 x chat 200" in out
    assert "Traceback" not in err


def test_a_taken_port_and_a_bad_script_are_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = CliRunner().invoke(app, ["dev", "annotator", "--port", port])
    assert ended.exit_code == 2
    assert f"port {port} can't be listened on" in ended.output
    script = tmp_path / "script.toml"
    script.write_text("[[rules]]\n")
    ended = CliRunner().invoke(app, ["dev", "annotator", "--script", str(script)])
    assert ended.exit_code == 2
    assert "rules.0.do: Field required" in ended.output
