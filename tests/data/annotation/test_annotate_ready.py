"""What is missing for annotation is told before a run begins, however it was started."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.request import RunRequest
from flows.run import running
from pixel_core.config import PipelineConfig, PromptVersions
from pixel_core.data.annotation.stage import check
from pixel_core.errors import ConfigError, EndpointError, PixelError

OVERRIDES = ("annotate.by=openai", "annotate.openai.api_key_env=PIXEL_TEST_NO_SUCH_KEY")


def settings(**openai: object) -> PipelineConfig:
    value = {
        "annotate": {"by": "openai", "openai": {"api_key_env": "PIXEL_TEST_KEY", **openai}}
    }
    return PipelineConfig.model_validate(value)


def test_a_deployed_flow_meets_a_missing_key_before_its_first_stage(tmp_path: Path) -> None:
    request = RunRequest("tiny", OVERRIDES, str(tmp_path / "store"))
    with (
        pytest.raises(EndpointError, match="PIXEL_TEST_NO_SUCH_KEY is not set"),
        running(request),
    ):
        pytest.fail("a stage could begin")
    assert not list((tmp_path / "store").glob("runs/*"))


def test_until_ingest_no_key_is_needed(tmp_path: Path) -> None:
    with running(RunRequest("tiny", OVERRIDES, str(tmp_path / "store"), until="ingest")) as run:
        assert run.wanted == {"ingest"}


@pytest.mark.parametrize("task", list(PromptVersions.model_fields))
def test_an_unknown_prompt_version_names_its_setting_and_the_known_ones(
    monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    monkeypatch.setenv("PIXEL_TEST_KEY", "any")
    check(settings())
    with pytest.raises(ConfigError, match=rf"prompts\.{task} '7' does not exist; known: 1"):
        check(settings(prompts={task: "7"}))


def test_without_a_model_nothing_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    check(PipelineConfig())
    with pytest.raises(PixelError, match="OPENAI_API_KEY"):
        check(PipelineConfig.model_validate({"annotate": {"by": "openai"}}))
