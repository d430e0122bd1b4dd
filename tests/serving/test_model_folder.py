"""Finding a model: artifacts, plain folders and hub ids; what is broken is named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from kept_models import changed, make
from memorised import memorised
from safetensors.torch import load_file, save_file

from pixel_core.errors import DataError, EndpointError
from pixel_core.models.loading import load_model
from pixel_core.serving.model_folder import find_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an artifact's key."""
    return make(tmp_path_factory.mktemp("models") / "store").local().parent


@pytest.fixture
def key_folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "copied")


@pytest.fixture
def files(key_folder: Path) -> Path:
    return next(path for path in key_folder.iterdir() if path.is_dir())


@pytest.fixture
def plain(files: Path, tmp_path: Path) -> Path:
    return shutil.copytree(files / "model", tmp_path / "plain")


def test_an_artifact_is_found_by_any_of_its_folders(key_folder: Path, files: Path) -> None:
    for place in (key_folder, files, files / "model"):
        found = find_model(place)
        assert found.dialogue == memorised().world.prompts.dialogue
        assert found.files == files / "model"
    # The folder of files alone, copied elsewhere, is a model that does not tell its dialogue.
    assert find_model(shutil.copytree(files / "model", key_folder / "x")).dialogue is None


def test_an_artifact_that_is_not_whole_is_refused(key_folder: Path, files: Path) -> None:
    os.truncate(files / "model" / "tokenizer.json", 100)
    with pytest.raises(DataError, match=r"tokenizer.json has 100 of [\d,]+ bytes"):
        find_model(key_folder)
    (files / "model" / "tokenizer.json").unlink()
    with pytest.raises(DataError, match=r"tokenizer.json is missing"):
        find_model(files)
    manifest = key_folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"compact"', '"full"'))
    with pytest.raises(DataError, match=r"manifest.json is damaged \(its checksum"):
        find_model(files)


def test_an_artifact_without_a_model_says_which_have_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"an artifact of ingest, which makes no model"):
        find_model(make(tmp_path / "store", "ingest", "notes").local())


def _no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def _other_kind(folder: Path) -> None:
    changed(folder / "config.json", model_type="llama")


def _no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def _no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _half_weights(folder: Path) -> None:
    file = folder / "model.safetensors"
    os.truncate(file, file.stat().st_size // 2)


def _lost_shard(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}')


def _empty_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {}}')


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (_no_config, r"is no model's folder: it holds no config.json"),
        (_broken_config, r"config.json can't be read"),
        (_other_kind, r"holds a 'llama', and what is needed is a Qwen2.5-VL"),
        (_no_tokenizer, r"has no tokenizer"),
        (_no_weights, r"model.safetensors is missing: the model is half copied"),
        (_half_weights, r"model.safetensors is not whole"),
        (_lost_shard, r"model-2.safetensors is missing"),
        (_empty_index, r"names no weights"),
    ],
)
def test_a_folder_that_is_no_whole_model_is_refused(harm, told: str, plain: Path) -> None:
    find_model(plain)
    harm(plain)
    with pytest.raises(DataError, match=told):
        find_model(plain)


def test_weights_that_are_lacking_are_not_made_up(plain: Path) -> None:
    weights = load_file(plain / "model.safetensors")
    lost = next(name for name in weights if name.endswith("q_proj.weight"))
    del weights[lost]
    save_file(weights, plain / "model.safetensors", {"format": "pt"})
    with pytest.raises(DataError, match=r"lacks 1 of its weights .*q_proj.weight"):
        load_model(plain, folder_name="")


@pytest.mark.parametrize(
    ("where", "revision", "told"),
    [
        ("no/such/folder", "", "there is no model at"),
        ("nowhere", "", "there is no model at"),
        ("Qwen/Qwen2.5-VL-7B-Instruct", "", "is taken at a commit"),
        ("Qwen/Qwen2.5-VL-7B-Instruct", "main", "'main' is none: a branch may move"),
    ],
)
def test_ids_need_a_commit(where: str, revision: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        find_model(where, revision)


def test_a_hub_that_is_out_of_reach_is_named() -> None:
    # The tests run without a hub (HF_HUB_OFFLINE): up to here it is the real way.
    with pytest.raises(EndpointError, match=r"the hub did not give 'Qwen/Qwen2.5-VL-7B"):
        find_model("Qwen/Qwen2.5-VL-7B-Instruct", COMMIT)


def test_a_file_is_no_folder(plain: Path) -> None:
    with pytest.raises(DataError, match="is a file: give the folder"):
        find_model(plain / "config.json")
