"""The model that ``pixel ask``, ``serve`` and ``demo`` talk to, from what was typed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flows.request import RunRequest
from pixel_core.config import PipelineConfig
from pixel_core.errors import ConfigError
from pixel_core.serving.model_folder import is_model_name, model_path

if TYPE_CHECKING:
    from pixel_core.serving.media import MediaLimits
    from pixel_core.serving.reasoner import Reasoner


class AskedModel(Protocol):
    """The options that the three commands share."""

    @property
    def model(self) -> str:
        """A model of the pipeline, a folder, or NAME@COMMIT on the hub."""

    @property
    def base(self) -> str:
        """What a LoRA adapter is merged into; "": the model it names."""

    @property
    def profile(self) -> str | None: ...

    @property
    def overrides(self) -> tuple[str, ...]: ...

    @property
    def store(self) -> str | None: ...

    @property
    def device(self) -> str: ...


def request_of(asked: AskedModel) -> RunRequest:
    """The run whose store and profile are meant."""
    return RunRequest(asked.profile or "tiny", asked.overrides, asked.store)


def load_reasoner(
    asked: AskedModel,
    config: PipelineConfig,
    *,
    limits: MediaLimits | None = None,
    at_once: int = 64,
) -> Reasoner:
    """The model, asked as it is evaluated: the same budgets, the same engine.

    A profile says how a model is talked to only where it was named for that, or names the
    model. Raises what ``Reasoner.load`` and ``model_path`` raise.
    """
    # Takes seconds to import, while a line says what is being waited for.
    from pixel_core.serving.reasoner import Reasoner

    path: str | Path = asked.model
    revision = ""
    of_pipeline = is_model_name(asked.model)
    if of_pipeline and asked.base:
        raise ConfigError(
            f"--base {asked.base!r} is what a LoRA adapter is merged into, and {asked.model!r} "
            "is a whole model of the store: leave it out"
        )
    if of_pipeline:
        path = model_path(request_of(asked).open_store(config), asked.model)
    elif not Path(asked.model).exists():
        path, _, revision = asked.model.partition("@")
    own = of_pipeline or asked.profile is not None or bool(asked.overrides)
    return Reasoner.load(
        path,
        revision=revision,
        base=asked.base,
        profile=config if own else None,
        engine=config.benchmarks.answers.engine if own else None,
        device=asked.device,
        limits=limits,
        at_once=at_once,
    )
