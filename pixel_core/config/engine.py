"""What generates where a stage only answers: this process, vLLM, or somebody's endpoint."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pixel_core.config.section import Count, Placement, Positive, Section, Share, Weight


class VllmConfig(Section):
    """vLLM in the process that answers."""

    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    tensor_parallel: Annotated[Positive, Placement()] = 1
    gpu_memory: Annotated[Share, Placement()] = 0.9
    #: Concurrent episodes in vLLM.
    max_sequences: Annotated[Positive, Placement()] = 256
    #: Tokens computed in one step, prompts and answers together; 0: vLLM's default. Longer
    #: prompts are prefilled in chunks.
    batched_tokens: Annotated[Count, Placement()] = 0
    #: Without CUDA graphs: starts sooner, generates slower.
    eager: Annotated[bool, Placement()] = False

    @model_validator(mode="after")
    def _a_token_each(self) -> Self:
        if 0 < self.batched_tokens < self.max_sequences:
            raise ValueError(
                f"batched_tokens {self.batched_tokens} is below max_sequences "
                f"{self.max_sequences}: a step computes a token of each"
            )
        return self


class EndpointEngineConfig(Section):
    """An OpenAI-compatible endpoint with pictures in its messages."""

    base_url: Annotated[str, Placement()] = ""
    #: The endpoint's model name; it answers instead of the stage's model.
    model: str = ""
    #: The environment variable that holds the key; "": none is sent.
    api_key_env: Annotated[str, Placement()] = "OPENAI_API_KEY"
    in_flight: Annotated[Positive, Placement()] = 16
    timeout_s: Annotated[float, Field(gt=0), Placement()] = 120.0
    attempts: Annotated[Positive, Placement()] = 6
    #: Total seconds that a request may wait while the endpoint is rate limiting (HTTP 429); a
    #: longer wait requested by the endpoint ends the run.
    max_wait_s: Annotated[Weight, Placement()] = 1800.0
    #: Not sent, for endpoints that refuse them; ``max_tokens`` is then enforced here only.
    omit: tuple[Literal["max_tokens", "temperature", "top_p"], ...] = ()
    #: Send ``max_completion_tokens``, where the endpoint takes no ``max_tokens``.
    max_completion_tokens: Annotated[bool, Placement()] = False

    def idle_fields(self) -> frozenset[str]:
        return frozenset() if self.omit else frozenset({"omit"})


class EngineConfig(Section):
    kind: Literal["embedded", "vllm", "endpoint"] = "embedded"
    vllm: VllmConfig = VllmConfig()
    endpoint: EndpointEngineConfig = EndpointEngineConfig()
    #: Ray actors that share the chunks, each with an engine; 0: this machine's workers.
    actors: Annotated[Count, Placement()] = 0
    gpus_per_actor: Annotated[float, Field(ge=0), Placement()] = 0.0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "endpoint" and not (self.endpoint.base_url and self.endpoint.model):
            raise ValueError("kind 'endpoint' needs endpoint.base_url and endpoint.model")
        return self

    def idle_fields(self) -> frozenset[str]:
        return frozenset({"vllm", "endpoint"} - {self.kind})
