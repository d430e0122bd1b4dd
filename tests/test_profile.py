"""Profiles and overrides: what is laid over what, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixel_core.config.profile import load_profile, profile_names
from pixel_core.errors import ConfigError


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_loads_under_its_name(name: str) -> None:
    assert load_profile(name).name == name


def test_a_profile_file_extends_another_and_overrides_win(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "tiny"\n[sft]\nsteps = 7\nseed = 3\n')
    config = load_profile(str(mine), ["sft.steps=9", "report.title=Weekly run"])
    tiny = load_profile("tiny")
    assert (config.name, config.sft.steps, config.sft.seed) == ("mine", 9, 3)
    assert config.report.title == "Weekly run"
    assert config.sft.optimizer == tiny.sft.optimizer
    assert config.base_model == tiny.base_model


def test_a_profile_that_extends_itself_is_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text(f"extends = '{second}'\n")
    second.write_text(f"extends = '{first}'\n")
    with pytest.raises(ConfigError, match="extends itself"):
        load_profile(str(first))


@pytest.mark.parametrize(
    ("override", "match"),
    [
        ("sft.batch=0", r"sft\.batch = 0: .*greater than 0"),
        ("sft.step=5", r"sft\.step = 5: .*not permitted"),
        ("sft.optimizer.betas=[2.0, 0.9]", r"betas\.0 = 2\.0: .*less than 1"),
        ("rl.group=1", r"rl\.group = 1: .*greater than or equal to 2"),
        ("rl.sampling.temperature=0", "nothing is learnt"),
        ("rl.keep=best", "needs a validation score"),
        ("rl.replay={capacity=8, clear_every=1}", "nothing is ever replayed"),
        ("rl.guards.rapr_collapse.above=0.01", "below the threshold"),
        ("sft.select={rapr=0.2, every=1000}", "never be checked"),
        ("dialogue.max_new_tokens=600", "leaves no room for a prompt"),
        ("ingest.manifest.splits={validation=0.9, test=0.9}", "nothing to train on"),
        ("ingest.drawn.world.questions={digit=0, count=0, exists=0}", "raise at least one"),
        ("base_model.tiny.heads=7", "multiple of 8 x heads"),
        ("base_model.phases=[{steps=5}]", "teaches nothing"),
        ("sft", "not of the form"),
        ("sft.steps.more=1", "is a value, not a section"),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_name(override: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        load_profile("tiny", [override])


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no profile 'tinny'; known: .*tiny"):
        load_profile("tinny")
    with pytest.raises(ConfigError, match="does not exist"):
        load_profile(str(tmp_path / "absent.toml"))
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_profile(str(tmp_path / "latin.toml"))
    (tmp_path / "broken.toml").write_text("[sft\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_profile(str(tmp_path / "broken.toml"))
