"""How RL runs under OpenRLHF: the layout of its processes, and what its trainer adds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pixel_core.config.section import Placement, Positive, Section, Share


class OpenrlhfConfig(Section):
    """Fields marked ``Placement`` say where its processes stand and how they share memory."""

    #: Of the weights; the optimizer keeps float32 copies. Its engines support no other.
    dtype: Literal["bf16"] = "bf16"
    #: Rollouts per optimizer step (the paper: 256).
    train_batch: Positive = 256
    nodes: Annotated[Positive, Placement()] = 1
    gpus_per_node: Annotated[Positive, Placement()] = 8
    engines: Annotated[Positive, Placement()] = 8
    tensor_parallel: Annotated[Positive, Placement()] = 1
    #: Trainer and engines share the same GPUs in turn; otherwise they run side by side.
    colocate: Annotated[bool, Placement()] = True
    gpu_memory: Annotated[Share, Placement()] = 0.6
    zero_stage: Annotated[Literal[2, 3], Placement()] = 3
    adam_offload: Annotated[bool, Placement()] = False
    gradient_checkpointing: Annotated[bool, Placement()] = True
    attention: Annotated[Literal["flash_attention_2", "sdpa", "eager"], Placement()] = (
        "flash_attention_2"
    )
    #: Engines without CUDA graphs: start sooner, generate slower.
    eager: Annotated[bool, Placement()] = False
    micro_train: Annotated[Positive, Placement()] = 1
    micro_rollout: Annotated[Positive, Placement()] = 2
    save_every: Annotated[Positive, Placement()] = 10
    #: A folder shared by all nodes, for its checkpoints; "": below the system's temporary
    #: folder, which suffices if the job's own process runs on the node with the GPUs.
    scratch: Annotated[str, Placement()] = ""
    #: Weight-sync backend between trainer and engines.
    sync: Annotated[Literal["nccl", "gloo"], Placement()] = "nccl"
    timeout_h: Annotated[float, Field(gt=0), Placement()] = 240.0
