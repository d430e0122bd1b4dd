"""Ids, addresses, endings and the shipped code, without a cluster."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.config.profile import load_profile
from pixel_core.errors import (
    BudgetSpent,
    ClusterError,
    ConfigError,
    DataError,
    MediaError,
    StageFailed,
)
from pixel_core.workflow.cluster.code_package import code_package
from pixel_core.workflow.cluster.job_file import JobFailure
from pixel_core.workflow.cluster.jobs_api import JobsApi, checked_address
from pixel_core.workflow.cluster.submission import job_id
from pixel_core.workflow.store import LeaseLost


@given(
    generation=st.text(min_size=1, max_size=300),
    other=st.text(min_size=1, max_size=300),
    attempt=st.integers(1, 999),
)
def test_a_jobs_id_is_plain_bounded_and_of_one_generation(
    generation: str, other: str, attempt: int
) -> None:
    key = "ab" * 32
    name = job_id("answers_warm_start", key, generation, attempt)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,130}", name)
    if other != generation:
        assert job_id("answers_warm_start", key, other, attempt) != name


def test_a_readable_id_says_what_it_is() -> None:
    name = job_id("sft", "0123456789abcdef" * 4, "forced-20261122T200231123456-0a1b2c", 2)
    assert name == "sft-0123456789abcdef-forced-20261122T200231123456-0a1b2c-a2"


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        (DataError("record 7"), DataError),
        (MediaError("picture 7"), MediaError),
        (BudgetSpent("spent", final=False), BudgetSpent),
        (LeaseLost("overtaken"), StageFailed),
    ],
)
def test_an_error_keeps_its_type_or_the_nearest_that_is_known(
    raised: Exception, shown: type[Exception]
) -> None:
    ending = JobFailure.read(JobFailure.of(raised).model_dump_json().encode())
    assert ending is not None
    error = ending.error()
    assert type(error) is shown
    assert str(error) == str(raised)


def test_a_bug_keeps_its_traceback_and_no_credentials() -> None:
    try:
        raise ArithmeticError("cannot reach http://me:hidden@store/")
    except ArithmeticError as error:
        ending = JobFailure.of(error)
    assert ending.error() is None
    assert "test_jobs_form.py" in ending.text
    assert "ArithmeticError: cannot reach http://store/" in ending.text


@pytest.mark.parametrize("address", ["", "head:8265", "ray://head:10001", "http://"])
def test_what_is_no_dashboard_is_refused(address: str) -> None:
    with pytest.raises(ClusterError, match=r"--set cluster.address=http://host:8265"):
        checked_address(address)


def test_credentials_have_no_place_in_an_address_or_a_jobs_environment() -> None:
    with pytest.raises(ClusterError, match="must not hold credentials") as raised:
        checked_address("http://me:hidden@head:8265")
    assert "hidden" not in str(raised.value)
    for name, value in (("HF_TOKEN", "hidden"), ("HTTPS_PROXY", "http://me:hidden@proxy:1")):
        override = f'cluster.environment={{{name} = "{value}"}}'
        with pytest.raises(ConfigError, match=f"environment must not hold {name}") as refused:
            load_profile("tiny", [override])
        assert "hidden" not in str(refused.value)


def test_a_token_is_taken_from_rays_own_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    with pytest.raises(ClusterError, match=r"RAY_AUTH_TOKEN is not set and .* cannot be read"):
        JobsApi("http://head:8265", 1)
    (tmp_path / "token").write_text("from-a-file\n")
    JobsApi("http://head:8265", 1).close()


def test_the_package_holds_the_code_and_nothing_else_and_is_named_for_it() -> None:
    package = code_package()
    names = zipfile.ZipFile(io.BytesIO(package.data)).namelist()
    ours = {"pixel_core/workflow/cluster/job.py", "pixel_core/rollout/renderer.py"}
    assert ours <= set(names)
    assert "profiles/smoke.toml" in names
    assert {name.partition("/")[0] for name in names} == {"pixel_core", "profiles"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    assert len(package.data) < 5e6
    assert code_package() == package
