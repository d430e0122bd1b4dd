"""Models on their way to OpenRLHF and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from rollout_folder import make_model
from safetensors.torch import load_file, save_file
from tiny_world import dialogue

from pixel_core.errors import DataError, StageFailed
from pixel_core.models.loading import FOLDER, load_model
from pixel_core.training.openrlhf.checkpoint import bring_back, lay_out


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("warm_start")
    make_model(folder, dialogue())
    return folder


def saved(artifact: Path, folder: Path, change=lambda weights: weights) -> Path:
    """As OpenRLHF saves: bfloat16 weights beside a configuration with changes of its own."""
    folder.mkdir()
    weights = load_file(artifact / FOLDER / "model.safetensors")
    weights = {name: (2 * weight).to(torch.bfloat16) for name, weight in weights.items()}
    save_file(change(weights), folder / "model.safetensors", {"format": "pt"})
    config = json.loads((artifact / FOLDER / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"use_cache": False}))
    return folder


def test_there_it_has_a_processors_settings_and_no_links(
    artifact: Path, tmp_path: Path
) -> None:
    lay_out(artifact, tmp_path / "start", dialogue())
    settings = json.loads((tmp_path / "start" / "preprocessor_config.json").read_text())
    assert settings["size"]["longest_edge"] >= 112 * 112
    for file in (artifact / FOLDER).iterdir():
        copy = tmp_path / "start" / file.name
        assert not copy.is_symlink()
        assert copy.read_bytes() == file.read_bytes()


def test_a_copy_that_was_cut_off_is_made_again(artifact: Path, tmp_path: Path) -> None:
    (tmp_path / "start.partial").mkdir()
    (tmp_path / "start.partial" / "config.json").write_text("half")
    lay_out(artifact, tmp_path / "start", dialogue())
    lay_out(artifact, tmp_path / "start", dialogue())
    assert [path.name for path in tmp_path.iterdir()] == ["start"]


def test_back_it_is_the_warm_start_with_the_trained_weights(
    artifact: Path, tmp_path: Path
) -> None:
    bring_back(saved(artifact, tmp_path / "final"), artifact, tmp_path)
    before, vocabulary = load_model(artifact)
    after, same = load_model(tmp_path)
    assert len(same.tokenizer) == len(vocabulary.tokenizer)
    assert after.config.text_config.vocab_size == before.config.text_config.vocab_size
    assert after.config.tie_word_embeddings == before.config.tie_word_embeddings
    assert (
        after.lm_head.weight.data_ptr()
        == after.model.language_model.embed_tokens.weight.data_ptr()
    )
    ours = dict(after.named_parameters())
    for name, weight in before.named_parameters():
        assert torch.equal(ours[name], (2 * weight).to(torch.bfloat16).float()), name


def test_a_tied_head_that_was_saved_as_well_changes_nothing(
    artifact: Path, tmp_path: Path
) -> None:
    def with_head(weights):
        (embedding,) = (
            w for name, w in weights.items() if name.endswith("embed_tokens.weight")
        )
        return weights | {"lm_head.weight": embedding.clone()}

    bring_back(saved(artifact, tmp_path / "final", with_head), artifact, tmp_path)
    model, _ = load_model(tmp_path)
    assert torch.equal(model.lm_head.weight, model.model.language_model.embed_tokens.weight)


def test_weights_of_another_model_are_refused(artifact: Path, tmp_path: Path) -> None:
    def without_one(weights):
        return dict(list(weights.items())[1:])

    def one_row_more(weights):
        name = next(name for name in weights if name.endswith("embed_tokens.weight"))
        return weights | {name: torch.cat([weights[name], weights[name][:1]])}

    for place, change in enumerate((without_one, one_row_more)):
        final = saved(artifact, tmp_path / f"final{place}", change)
        with pytest.raises(StageFailed, match="1 weights differ in name or shape"):
            bring_back(final, artifact, tmp_path / f"out{place}")


def test_weights_that_are_no_numbers_are_refused(artifact: Path, tmp_path: Path) -> None:
    def spoilt(weights):
        name = sorted(weights)[3]
        weights[name].view(-1)[5] = float("nan")
        return weights

    with pytest.raises(StageFailed, match="no numbers"):
        bring_back(saved(artifact, tmp_path / "final", spoilt), artifact, tmp_path)
    assert not (tmp_path / FOLDER).exists()


def test_no_weights_and_damaged_ones_are_told_apart(artifact: Path, tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    with pytest.raises(StageFailed, match="saved no weights"):
        bring_back(tmp_path / "final", artifact, tmp_path)
    (tmp_path / "final" / "model.safetensors").write_bytes(b"\x10" * 64)
    with pytest.raises(DataError, match="damaged"):
        bring_back(tmp_path / "final", artifact, tmp_path)
