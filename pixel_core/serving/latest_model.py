"""The models of a pipeline's store, by the names they have in its scores."""

from __future__ import annotations

from pathlib import Path

from pixel_core.errors import DataError
from pixel_core.workflow.benchmark_stages import MODELS
from pixel_core.workflow.store import Artifact, Store


def latest_model(store: Store, model: str = "policy") -> Artifact:
    """The latest run's ``base``, ``warm_start`` or ``policy``; where it made none, what an
    earlier one left. ``DataError`` where there is none, or it is gone."""
    stage = MODELS[model]
    run = store.latest_run()
    known = run.stages.get(stage) if run else None
    if known is not None and known.key is not None:
        artifact = store.load(stage, known.key)
        if artifact is not None:
            return artifact
    artifact = store.latest(stage)
    if artifact is None:
        raise DataError(
            f"there is no {model} in {store.uri} yet: make one with pixel run --until {stage}, "
            "or name a model's folder"
        )
    return artifact


def is_model_name(text: str) -> bool:
    """Whether this names a model of a pipeline rather than a folder or a hub id."""
    return text in MODELS


def model_path(store: Store, model: str = "policy") -> Path:
    """The folder of files of ``latest_model``, fetched first where the store is remote."""
    return latest_model(store, model).local()
