"""What the real OpenRLHF and the real vLLM cannot have without a GPU.

Python imports this file at the start of every process that has its folder on PYTHONPATH: the
trainer's driver, Ray's workers, vLLM's engines. Nothing of an installed package changes on
disk; a module is adjusted right after (or before) it is imported. Each stand-in says why.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NoReturn

_before: dict[str, Callable[[], None]] = {}
_after: dict[str, Callable[[ModuleType], None]] = {}


def before(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    return lambda function: _before.setdefault(name, function)


def after(
    name: str,
) -> Callable[[Callable[[ModuleType], None]], Callable[[ModuleType], None]]:
    return lambda function: _after.setdefault(name, function)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the real module and lets the functions above run around its import."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in _before and name not in _after:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            _before.get(name, lambda: None)()
            execute(module)
            _after.get(name, lambda _: None)(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


@before("torchvision._meta_registrations")
def declare_operators() -> None:
    """PyPI's torchvision is linked to CUDA: beside a CPU torch its operators are missing, and
    the module fails where it describes two of them. The transforms need none."""
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        # Beside the CUDA build of torch, which PyPI has, they are all there.
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept.append(library)


_kept: list[Any] = []  # A library that is collected takes its operators away again.


@before("openrlhf.models.ring_attn_utils")
def name_flash_attention() -> None:
    """flash-attn needs CUDA to build. The module imports six names from it for packed samples
    and ring attention, which pictures can't use; each refuses when called."""
    names = {
        "flash_attn": (),
        "flash_attn.bert_padding": (
            "index_first_axis",
            "pad_input",
            "rearrange",
            "unpad_input",
        ),
        "flash_attn.utils": (),
        "flash_attn.utils.distributed": ("all_gather",),
    }
    for path, members in names.items():
        module = ModuleType(path)
        for member in members:
            setattr(module, member, _refusal(f"{path}.{member}"))
        sys.modules[path] = module


@after("openrlhf.models.ring_attn_utils")
def forget_flash_attention(_: ModuleType) -> None:
    """Else transformers and vLLM would take the names for the package."""
    for path in [path for path in sys.modules if path.split(".")[0] == "flash_attn"]:
        del sys.modules[path]


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise RuntimeError(f"{name} is a stand-in: nothing here should call it")

    return refuse


class _Cpu(str):
    """ "cpu" to whoever moves a tensor; "0" inside ``f"cuda:{...}"``."""

    def __format__(self, spec: str) -> str:
        return "0"


@before("openrlhf")
def answer_for_cuda() -> None:
    """OpenRLHF asks torch.cuda for the device, to synchronise and to empty caches, without
    looking whether there is any."""
    import torch
    import torch.distributed.device_mesh as meshes

    cuda: Any = torch.cuda
    cuda.current_device = lambda: _Cpu("cpu")
    for name in ("set_device", "synchronize", "empty_cache", "current_stream"):
        setattr(cuda, name, lambda *_, **__: None)
    real = meshes.init_device_mesh

    def init_device_mesh(device_type: str, *rest: Any, **named: Any) -> Any:
        return real("cpu" if device_type == "cuda" else device_type, *rest, **named)

    meshes.init_device_mesh = init_device_mesh


@after("vllm.distributed.device_communicators.pynccl")
def broadcast_without_nccl(module: ModuleType) -> None:
    """Weights go from trainer to engine by NCCL; here by the same vLLM process group's own
    broadcast, over its TCP store."""

    class PyNcclCommunicator:
        def __init__(self, group: Any, device: Any) -> None:
            self.group = group

        def broadcast(self, tensor: Any, src: int, stream: None = None) -> None:
            tensor.copy_(self.group.broadcast(tensor, src))

    module.PyNcclCommunicator = PyNcclCommunicator  # type: ignore[attr-defined]


@after("vllm.model_executor.layers.utils")
def keep_weights_as_they_are(module: ModuleType) -> None:
    """On a CPU vLLM packs each linear layer's weights once and drops the plain ones: nothing
    could be loaded into them later. Kept plain, as on a GPU, they are read in every call."""
    from torch.nn.functional import linear

    def dispatch(layer: Any, remove_weight: bool) -> None:
        layer.cpu_linear = linear

    module.dispatch_cpu_unquantized_gemm = dispatch  # type: ignore[attr-defined]


@after("openrlhf.trainer.ray.vllm_worker_wrap")
def receive_on_the_cpu(module: ModuleType) -> None:
    """The engine's side makes the tensor to receive into on "cuda"."""
    from torch.overrides import TorchFunctionMode

    class OnCpu(TorchFunctionMode):
        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            named = dict(kwargs or {})
            if named.get("device") == "cuda":
                named["device"] = "cpu"
            return function(*args, **named)

    worker = module.WorkerWrap
    update_weight = worker.update_weight

    def update_weight_on_the_cpu(self: Any, *args: Any, **named: Any) -> Any:
        with OnCpu():
            return update_weight(self, *args, **named)

    worker.update_weight = update_weight_on_the_cpu


if "OPENRLHF_RECORD" in os.environ:
    import recorder

    after("pixel_core.training.openrlhf.rollouts")(recorder.listen_to_rollouts)
    after("openrlhf.trainer.ray.ppo_actor")(recorder.listen_to_training)

sys.meta_path.insert(0, _Finder())
