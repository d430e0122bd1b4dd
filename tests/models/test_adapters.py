"""LoRA adapters merged into their base: the arithmetic, the layouts, and what is refused.

``tests/openrlhf/test_peft_adapters.py`` holds the same merging equal to the real peft.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from adapters import BEFORE, DOWN, QUERY, VISION, Tensors, factors, write_adapter
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_world import tiny

from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.errors import ConfigError, DataError
from pixel_core.models import pretrained
from pixel_core.models.adapter import read_adapter
from pixel_core.models.loading import load_model, save_model
from pixel_core.models.merging import merge, merged
from pixel_core.training.base_model_key import fingerprint
from pixel_core.workflow.stage import SilentProgress

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODULES = {QUERY: 4, DOWN: 4, VISION: 4}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("base")
    save_model(tiny().model, tiny().vocabulary.tokenizer, out)
    return out / "model"


def merged_weights(adapter: Path, base: Path, out: Path) -> dict[str, torch.Tensor]:
    out.mkdir()
    merge(read_adapter(adapter), base, out, SilentProgress())
    return load_model(out, folder_name="")[0].state_dict()


def expected(tensors: Tensors, scales: dict[str, float]) -> dict[str, torch.Tensor]:
    """Each output is the base's and, for the adapted, what the two factors add to it."""
    state = {name: value.clone() for name, value in tiny().model.state_dict().items()}
    for module, scale in scales.items():
        a = tensors[f"{BEFORE}{module}.lora_A.weight"].double()
        b = tensors[f"{BEFORE}{module}.lora_B.weight"].double()
        columns = [b @ a[:, column] for column in range(a.shape[1])]
        weight = state[f"{module}.weight"]
        state[f"{module}.weight"] = weight + (scale * torch.stack(columns, 1)).float()
    return state


def assert_same(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for name, weight in wanted.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize(
    ("ranks", "settings", "scales"),
    [
        (MODULES, {"lora_alpha": 8}, dict.fromkeys(MODULES, 2.0)),
        (MODULES, {"lora_alpha": 3, "use_rslora": True}, dict.fromkeys(MODULES, 1.5)),
        (
            {QUERY: 2, DOWN: 4},
            {
                "rank_pattern": {"layers.0.self_attn.q_proj": 2},
                "alpha_pattern": {r"layers\.\d+\.mlp\.down_proj": 2, "q_proj": 5},
            },
            {QUERY: 2.5, DOWN: 0.5},
        ),
        (
            {QUERY: 2},
            {"rank_pattern": {"q_proj": 2}, "use_rslora": True},
            {QUERY: 8 / math.sqrt(2)},
        ),
    ],
)
def test_what_the_factors_add_is_scaled_as_the_settings_say(
    ranks: dict[str, int],
    settings: dict[str, Any],
    scales: dict[str, float],
    base: Path,
    tmp_path: Path,
) -> None:
    tensors = factors(tiny().model, ranks)
    adapter = write_adapter(tmp_path / "adapter", base, tensors, **settings)
    found = merged_weights(adapter, base, tmp_path / "out")
    assert_same(found, expected(tensors, scales))


def test_names_of_older_transformers_mean_the_same_weights(base: Path, tmp_path: Path) -> None:
    tensors = factors(tiny().model, MODULES)
    older = {
        name.replace("model.language_model.", "model.").replace(
            f"{BEFORE}model.visual", f"{BEFORE}visual"
        ): value
        for name, value in tensors.items()
    }
    assert older.keys() != tensors.keys()
    adapter = write_adapter(tmp_path / "adapter", base, older)
    found = merged_weights(adapter, base, tmp_path / "out")
    assert_same(found, expected(tensors, dict.fromkeys(MODULES, 2.0)))


def test_whole_weights_that_were_trained_beside_replace_the_base_s(
    base: Path, tmp_path: Path
) -> None:
    norm = "model.language_model.norm.weight"
    tensors = factors(tiny().model, {QUERY: 4})
    beside = {f"{BEFORE}{norm}": torch.full_like(tiny().model.state_dict()[norm], 0.5)}
    adapter = write_adapter(tmp_path / "a", base, tensors | beside, modules_to_save=["norm"])
    found = merged_weights(adapter, base, tmp_path / "out")
    assert_same(found, expected(tensors, {QUERY: 2.0}) | {norm: beside[f"{BEFORE}{norm}"]})


def test_a_model_in_parts_and_in_bfloat16_stays_so(base: Path, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    tiny().model.__class__.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(
        parts, max_shard_size="200KB"
    )
    (parts / "pytorch_model.bin").write_bytes(b"unmerged")
    adapter = write_adapter(tmp_path / "adapter", parts, factors(tiny().model, MODULES))
    out = tmp_path / "out"
    out.mkdir()
    done = merge(read_adapter(adapter), parts, out, SilentProgress())
    names = {file.name for file in out.iterdir()}
    assert names == {file.name for file in parts.iterdir()} - {"pytorch_model.bin"}
    assert done["adapted_weights"] == len(MODULES)
    shards = sorted(parts.glob("*.safetensors"))
    assert len(shards) > 1
    changed = 0
    for shard in shards:
        before, after = load_file(shard), load_file(out / shard.name)
        assert before.keys() == after.keys()
        assert all(value.dtype == torch.bfloat16 for value in after.values())
        changed += sum(not torch.equal(before[name], after[name]) for name in before)
        with safe_open(out / shard.name, "pt") as file:
            assert file.metadata() == {"format": "pt"}
    assert changed == len(MODULES)


def test_the_merged_copy_is_there_while_it_is_needed(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    adapter = read_adapter(
        write_adapter(tmp_path / "adapter", base, factors(tiny().model, MODULES))
    )
    with merged(adapter, base, SilentProgress()) as folder:
        load_model(folder, folder_name="")
    assert not folder.exists()
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(DataError, match="set TMPDIR"), merged(adapter, base, SilentProgress()):
        pass


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"peft_type": "LOHA"}, r"of kind 'LOHA', .*merge_and_unload\(\)"),
        ({"use_dora": True}, r"with use_dora = True, .*merge_and_unload\(\)"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights = pissa_niter_4"),
        ({"fan_in_fan_out": True}, "fan_in_fan_out = True"),
        ({"lora_bias": True}, "lora_bias = True"),
        ({"layer_replication": [[0, 2]]}, "layer_replication = "),
        ({"trainable_token_indices": [1]}, "trainable_token_indices = "),
        ({"a_setting_of_tomorrow": "on"}, "a_setting_of_tomorrow = on"),
        ({"r": 0}, "damaged .*0 is no rank"),
        ({"lora_alpha": None}, "damaged .*None is no number"),
        ({"rank_pattern": {"(": 2}}, r"damaged .*has the pattern '\('"),
    ],
)
def test_another_kind_of_adapter_says_how_to_merge_it(
    settings: dict[str, Any], told: str, base: Path, tmp_path: Path
) -> None:
    adapter = write_adapter(tmp_path / "a", base, factors(tiny().model, {QUERY: 4}), **settings)
    with pytest.raises(DataError, match=told):
        read_adapter(adapter)


def _half(tensors: Tensors) -> Tensors:
    return {name: value for name, value in tensors.items() if "lora_A" in name}


def _elsewhere(tensors: Tensors) -> Tensors:
    return {name.replace("layers.0", "layers.90"): value for name, value in tensors.items()}


def _wider(tensors: Tensors) -> Tensors:
    return {n: torch.cat([v, v], 1) if "lora_A" in n else v for n, v in tensors.items()}


def _other_rank(tensors: Tensors) -> Tensors:
    cut = {n: v[:2] if "lora_A" in n else v[:, :2] for n, v in tensors.items()}
    return {name: value.contiguous() for name, value in cut.items()}


def _dora(tensors: Tensors) -> Tensors:
    return tensors | {f"{BEFORE}{QUERY}.lora_magnitude_vector.weight": torch.ones(4)}


def _diverged(tensors: Tensors) -> Tensors:
    return {name: value * math.nan for name, value in tensors.items()}


def _head(tensors: Tensors) -> Tensors:
    return tensors | {f"{BEFORE}lm_head.weight": torch.ones(4, 4)}


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (_half, "one of .*q_proj's two factors"),
        (_elsewhere, r"changes layers.90.self_attn.q_proj.weight, and .* has no such weight"),
        (_wider, r"has layers.0.self_attn.q_proj.weight for \d+ x \d+, and .* has \d+ x \d+"),
        (_other_rank, "has rank 2 for .*q_proj, and adapter_config.json says 4"),
        (_dora, "lora_magnitude_vector.weight, which is not of plain LoRA"),
        (_diverged, "no finite numbers"),
        (_head, "one weight for its embeddings and its head"),
        (lambda tensors: {}, "holds no weights"),
    ],
)
def test_an_adapter_that_does_not_fit_leaves_nothing(
    harm: Any, told: str, base: Path, tmp_path: Path
) -> None:
    tensors = harm(factors(tiny().model, {QUERY: 4}))
    adapter = write_adapter(tmp_path / "a", base, tensors)
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match=told):
        merge(read_adapter(adapter), base, tmp_path / "out", SilentProgress())
    assert list((tmp_path / "out").iterdir()) == []


def config(path: Path | str, base: Path | str = "", revision: str = "") -> PipelineConfig:
    return load_profile(
        "smoke",
        [
            'base_model.source="pretrained"',
            f"base_model.pretrained.path='{path}'",
            f"base_model.pretrained.base='{base}'",
            f"base_model.pretrained.revision='{revision}'",
        ],
    )


def test_the_base_model_stage_merges_and_its_key_follows_both(
    base: Path, tmp_path: Path
) -> None:
    tensors = factors(tiny().model, {QUERY: 4})
    adapter = write_adapter(tmp_path / "adapter", base, tensors)
    section = config(adapter)
    out = tmp_path / "out"
    out.mkdir()
    told = pretrained.fetch(section.base_model.pretrained, out, SilentProgress())
    assert told["adapted_weights"] == 1
    assert_same(load_model(out)[0].state_dict(), expected(tensors, {QUERY: 2.0}))
    first = fingerprint(section)

    copied = tmp_path / "copied"
    save_model(tiny().model, tiny().vocabulary.tokenizer, copied)
    assert fingerprint(config(adapter, copied / "model")) == first
    weights = load_file(copied / "model" / "model.safetensors")
    save_file(
        {name: value + 1 for name, value in weights.items()},
        copied / "model" / "model.safetensors",
        {"format": "pt"},
    )
    other_base = fingerprint(config(adapter, copied / "model"))
    write_adapter(adapter, base, factors(tiny().model, {QUERY: 4}, seed=1))
    other_adapter = fingerprint(config(adapter))
    assert len({json.dumps(one) for one in (first, other_base, other_adapter)}) == 3


def test_the_base_is_a_folder_or_pinned(base: Path, tmp_path: Path) -> None:
    tensors = factors(tiny().model, {QUERY: 4})
    adapter = write_adapter(tmp_path / "a", "org/model", tensors, revision="main")
    with pytest.raises(DataError, match=r"'org/model' at revision 'main'.*pretrained\.base"):
        fingerprint(config(adapter))
    with pytest.raises(DataError, match=r"'org/model@main' is no folder here"):
        fingerprint(config(adapter, "org/model@main"))
    write_adapter(adapter, "org/model", tensors, revision=COMMIT)
    below = {"pretrained_hub": "org/model", "pretrained_commit": COMMIT}
    assert fingerprint(config(adapter))["pretrained_base"] == below
    assert fingerprint(config(adapter, f"org/model@{COMMIT}"))["pretrained_base"] == below
    assert "pretrained_files" in fingerprint(config(adapter, base))["pretrained_base"]
    with pytest.raises(DataError, match="does not say which model it was trained on"):
        fingerprint(config(write_adapter(tmp_path / "b", "", tensors)))
    # An adapter of the hub, whose key knows its commit and not its base.
    bare, more = config("org/lora", "", COMMIT), config("org/lora", base, COMMIT)
    assert "pretrained_base" not in fingerprint(bare)
    assert "pretrained_files" in fingerprint(more)["pretrained_base"]


def test_what_is_half_an_adapter_or_too_much_is_refused(base: Path, tmp_path: Path) -> None:
    tensors = factors(tiny().model, {QUERY: 4})
    adapter = write_adapter(tmp_path / "adapter", base, tensors)
    with pytest.raises(ConfigError, match="an adapter is merged into a whole model"):
        fingerprint(config(adapter, write_adapter(tmp_path / "second", base, tensors)))
    with pytest.raises(ConfigError, match="is a whole model: leave it out"):
        fingerprint(config(base, base))
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(DataError, match="is a pickle, which is not read"):
        fingerprint(config(adapter))
    (adapter / "model.safetensors").write_bytes(b"")
    with pytest.raises(DataError, match="put each into a folder of its own"):
        fingerprint(config(adapter))
