"""What a node says of itself, without a cluster: the code that runs there, called here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pixel_core.workflow.cluster.node_report import report
from pixel_core.workflow.store.local_storage import LocalStorage

CHALLENGE = b"written by the control plane"


def _report(store: Path, offered: float = 0.0, **asked: list[str]) -> dict[str, object]:
    digest = hashlib.sha256(CHALLENGE).hexdigest()
    names = {"packages": [], "plain": [], "hosts": [], "hidden": [], "prefixes": [], **asked}
    place = {"uri": str(store), "folder": "staging/probe", "sha256": digest}
    return report({**names, "store": place}, "abcd", offered)


def test_a_node_that_sees_the_store_answers_in_it(tmp_path):
    storage = LocalStorage(tmp_path)
    storage.write("staging/probe/challenge", CHALLENGE)
    assert _report(tmp_path)["store"]["seen"]
    assert storage.read("staging/probe/abcd") == CHALLENGE[::-1]


def test_a_folder_of_the_same_name_on_another_machine_is_told_apart(tmp_path):
    other = LocalStorage(tmp_path)
    other.write("staging/probe/challenge", b"of some other run")
    assert not _report(tmp_path)["store"]["seen"]
    assert other.read("staging/probe/abcd") is None


def test_a_node_without_the_folder_makes_none(tmp_path):
    assert not _report(tmp_path / "store")["store"]["seen"]
    assert not (tmp_path / "store").exists()


def test_a_file_where_the_store_should_be_is_an_error_in_words(tmp_path):
    (tmp_path / "store").write_text("a file")
    answer = _report(tmp_path / "store")["store"]
    assert not answer["seen"]
    assert "Not a directory" in answer["error"]


def test_values_are_told_of_plain_names_only(tmp_path, monkeypatch: pytest.MonkeyPatch):
    for name, value in {
        "NCCL_IB_HCA": "mlx5",
        "NCCL_AUTH_TOKEN": "in-clear",
        "PLAIN": "shown",
        "OTHER": "not asked for",
        "LLM_KEY": "in-clear",
        "MIRROR": "https://me:in-clear@mirror:81/in-clear",
    }.items():
        monkeypatch.setenv(name, value)
    # Whoever asks: a secret's name keeps its value, even among the plain ones.
    told = _report(tmp_path, plain=["PLAIN", "LLM_KEY"], hosts=["MIRROR"], prefixes=["NCCL_"])
    assert told["plain"] == {"NCCL_IB_HCA": "mlx5", "PLAIN": "shown", "MIRROR": "mirror:81"}
    assert told["hidden"] == ["LLM_KEY", "NCCL_AUTH_TOKEN"]
    assert "in-clear" not in str(told)


def test_gpus_are_read_from_the_drivers_own_table(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """A stand-in prints what ``nvidia-smi`` prints; there is no GPU here."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf 'NVIDIA H100 80GB HBM3, 81559\\n%.0s' 1 2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    devices = _report(tmp_path)["devices"]
    assert [(name, round(gib)) for name, gib in devices] == [("NVIDIA H100 80GB HBM3", 80)] * 2


@pytest.mark.ci
def test_gpus_that_torch_cannot_use_are_told_in_torchs_words(tmp_path):
    answer = _report(tmp_path, offered=1.0)
    assert answer["devices"] == []
    assert "CUDA" in answer["devices_error"]
