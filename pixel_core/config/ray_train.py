"""How SFT runs under Ray Train: workers, sharding, precision."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pixel_core.config.section import Count, Placement, Positive, Section


class RayTrainConfig(Section):
    """Only ``dtype`` changes the weights by more than rounding."""

    #: The layers' compute type. Weights and optimizer are float32 during training; the trained
    #: model is stored in this type.
    dtype: Literal["float32", "bfloat16"] = "float32"
    workers: Annotated[Positive, Placement()] = 2
    cpus_per_worker: Annotated[float, Field(ge=0, allow_inf_nan=False), Placement()] = 1.0
    #: 0: on the CPU. A worker trains on at most one device.
    gpus_per_worker: Annotated[float, Field(ge=0, le=1), Placement()] = 0.0
    #: ``ddp``: the whole model in every worker; the others shard it.
    sharding: Annotated[Literal["ddp", "fsdp", "zero2", "zero3"], Placement()] = "ddp"
    #: Recompute a layer's activations in the backward pass instead of keeping them.
    gradient_checkpointing: Annotated[bool, Placement()] = False
    attention: Annotated[Literal["sdpa", "flash_attention_2"], Placement()] = "sdpa"
    #: Tokens, padding included, per forward pass in a worker. A longer transcript gets its own
    #: pass.
    tokens_per_pass: Annotated[Positive, Placement()] = 16_384
    #: Worker losses tolerated before the stage fails; after each, the group restarts from the
    #: newest checkpoint.
    failures: Annotated[Count, Placement()] = 3

    @model_validator(mode="after")
    def _flash_has_what_it_needs(self) -> Self:
        if self.attention == "flash_attention_2" and (
            self.dtype != "bfloat16" or not self.gpus_per_worker
        ):
            raise ValueError(
                f"attention 'flash_attention_2' needs dtype 'bfloat16' and a GPU in each "
                f"worker, not {self.dtype!r} and gpus_per_worker {self.gpus_per_worker:g}; "
                "'sdpa' runs anywhere"
            )
        return self
