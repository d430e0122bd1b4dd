"""Models on their way to OpenRLHF and back.

There: our artifact's files with a processor's settings, which its tokenizer loading and vLLM
want. Back: the weights it saved, in a model artifact that is the warm start's in all else.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import SafetensorError, safe_open

from pixel_core.config import DialogueConfig
from pixel_core.errors import DataError, StageFailed
from pixel_core.models.loading import FOLDER
from pixel_core.models.vllm_inputs import check_folder, dress

_INDEX = "model.safetensors.index.json"
_HEAD = "lm_head.weight"

Shapes = dict[str, tuple[int, ...]]


def lay_out(artifact: Path, into: Path, dialogue: DialogueConfig) -> None:
    """Copy the artifact's model to ``into``, where it appears whole or not at all."""
    if into.exists():
        return
    partial = into.with_name(into.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with TemporaryDirectory(prefix="pixel-openrlhf-") as linked:
        dress(artifact / FOLDER, Path(linked), dialogue)
        shutil.copytree(linked, partial)
    partial.rename(into)


def bring_back(saved: Path, warm_start: Path, out: Path) -> None:
    """Write ``out/model`` with the weights of ``saved``, bfloat16 as they were trained.

    ``warm_start``: the artifact that training began from. Its tokenizer and configuration are
    kept, since OpenRLHF writes both with changes of its own. Raises ``StageFailed`` for
    weights that are missing, of other names or shapes, or no numbers.
    """
    start, files = warm_start / FOLDER, sorted(saved.glob("*.safetensors"))
    if not files:
        raise StageFailed(f"OpenRLHF saved no weights in {saved}: see its log beside it")
    config = check_folder(start)
    _refuse_other_weights(saved, shapes_of(saved), shapes_of(start), _is_tied(config))
    for file in files:
        _refuse_no_numbers(file)
    target = out / FOLDER
    target.mkdir(parents=True)
    for file in sorted(start.iterdir()):
        if file.suffix != ".safetensors" and file.name not in (_INDEX, "config.json"):
            shutil.copyfile(file, target / file.name)
    for file in [*files, *saved.glob(_INDEX)]:
        shutil.copyfile(file, target / file.name)
    dtype = {"dtype": "bfloat16"}
    for part in ("text_config", "vision_config"):
        if isinstance(config.get(part), dict):
            config[part] |= dtype
    text = json.dumps(config | dtype, indent=2, sort_keys=True) + "\n"
    (target / "config.json").write_text(text, encoding="utf-8")


def shapes_of(folder: Path) -> Shapes:
    """Of all weights by name. ``DataError`` for a damaged file."""
    shapes: Shapes = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, framework="pt") as weights:
                for name in weights.keys():  # noqa: SIM118 - not a mapping
                    shapes[name] = tuple(weights.get_slice(name).get_shape())
        except (OSError, SafetensorError) as error:
            raise DataError(f"{file} is damaged: {error}") from error
    return shapes


def _is_tied(config: dict) -> bool:
    text = config.get("text_config", {})
    return bool(config.get("tie_word_embeddings", text.get("tie_word_embeddings", False)))


def _refuse_other_weights(saved: Path, got: Shapes, wanted: Shapes, tied: bool) -> None:
    if tied:  # the head is the embedding; some save it all the same
        got, wanted = ({n: s for n, s in x.items() if n != _HEAD} for x in (got, wanted))
    if got == wanted:
        return
    names = sorted(n for n in got.keys() | wanted.keys() if got.get(n) != wanted.get(n))
    examples = ", ".join(
        f"{name} {got.get(name, 'missing')} for {wanted.get(name, 'none')}"
        for name in names[:3]
    )
    raise StageFailed(
        f"{saved} is not the model that training began from: {len(names)} weights differ in "
        f"name or shape ({examples}); check the transformers version of the GPU plane"
    )


def _refuse_no_numbers(file: Path) -> None:
    with safe_open(file, framework="pt") as weights:
        for name in weights.keys():  # noqa: SIM118 - not a mapping
            if not bool(torch.isfinite(weights.get_tensor(name)).all()):
                raise StageFailed(
                    f"the weight {name} that OpenRLHF saved holds values that are no numbers: "
                    "training diverged; try a lower rl.optimizer.learning_rate"
                )
