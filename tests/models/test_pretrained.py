"""A model folder as the base model: copied untouched, known by its content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from tiny_world import tiny

from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.errors import ConfigError, DataError
from pixel_core.models import pretrained
from pixel_core.models.loading import load_model, save_model
from pixel_core.training.base_model_key import fingerprint
from pixel_core.workflow.stage import SilentProgress


def config(path: Path | str, revision: str = "") -> PipelineConfig:
    return load_profile(
        "smoke",
        [
            'base_model.source="pretrained"',
            f"base_model.pretrained.path='{path}'",
            f"base_model.pretrained.revision='{revision}'",
        ],
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    world = tiny()
    save_model(world.model, world.vocabulary.tokenizer, tmp_path / "made")
    return tmp_path / "made" / "model"


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_the_files_are_copied_untouched_and_load(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    metrics = pretrained.fetch(config(folder).base_model.pretrained, out, SilentProgress())
    assert digests(out / "model") == digests(folder)
    assert metrics["files"] == len(digests(folder))
    model, vocabulary = load_model(out)
    for (name, ours), theirs in zip(
        model.state_dict().items(), tiny().model.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), name
    assert vocabulary.banned == tiny().vocabulary.banned


def test_the_fingerprint_follows_the_content_not_the_place(
    folder: Path, tmp_path: Path
) -> None:
    first = fingerprint(config(folder))
    moved = folder.rename(tmp_path / "elsewhere")
    assert fingerprint(config(moved)) == first
    (moved / "generation_config.json").write_text("{}")
    assert fingerprint(config(moved)) != first


def test_a_hub_id_must_be_pinned_to_a_commit() -> None:
    with pytest.raises(ConfigError, match="40-digit commit, not 'main'"):
        fingerprint(config("Qwen/Qwen2.5-VL-7B-Instruct", "main"))
    pinned = fingerprint(config("Qwen/Qwen2.5-VL-7B-Instruct", "a" * 40))
    assert pinned["pretrained_commit"] == "a" * 40


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no config\.json"):
        fingerprint(config(tmp_path))
    with pytest.raises(ConfigError, match="is empty"):
        fingerprint(config(""))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    with pytest.raises(DataError, match="is not a Qwen2"):
        load_model(tmp_path)


def test_rows_of_the_head_beyond_the_tokenizer_are_never_sampled() -> None:
    tokenizer = tiny().vocabulary.tokenizer
    wide = type(tiny().vocabulary).of(tokenizer, rows=len(tokenizer) + 3)
    assert set(wide.banned) - set(tiny().vocabulary.banned) == {
        len(tokenizer),
        len(tokenizer) + 1,
        len(tokenizer) + 2,
    }


@pytest.mark.parametrize("named", ["key", "files", "model"])
def test_a_stage_s_artifact_is_a_model_by_any_of_its_folders(
    folder: Path, tmp_path: Path, named: str
) -> None:
    key = tmp_path / "sft [1]" / ("0" * 64)
    made = key / "20260101T000000000000-abcdef"
    made.mkdir(parents=True)
    folder.rename(made / "model")
    stated = {"checksum": "", "manifest": {"generation": made.name}}
    (key / "manifest.json").write_text(json.dumps(stated), encoding="utf-8")
    path = {"key": key, "files": made, "model": made / "model"}[named]
    assert fingerprint(config(path)) == fingerprint(config(made / "model"))
    out = tmp_path / "out"
    out.mkdir()
    pretrained.fetch(config(path).base_model.pretrained, out, SilentProgress())
    assert digests(out / "model") == digests(made / "model")


def test_a_folder_with_another_manifest_is_no_model(tmp_path: Path) -> None:
    for text in ("[]", "{", '{"manifest": {"generation": "../.."}}', '{"manifest": 3}'):
        (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=r"holds no config\.json"):
            fingerprint(config(tmp_path))
