"""What changes a key and what must not."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from tiny_stages import NUMBERS, SQUARES, small

from pixel_core.config import (
    AnnotateConfig,
    BaseModelConfig,
    ClipConfig,
    IngestConfig,
    PerceptionPhase,
    PipelineConfig,
    Placement,
    Section,
)
from pixel_core.errors import ConfigError
from pixel_core.workflow.stage import Stage
from pixel_core.workflow.store.identity import (
    IdentityError,
    canonical,
    canonical_json,
    identity,
    key_of,
)
from pixel_core.workflow.table import STAGES

DIGEST = "0" * 64


def whole(config: PipelineConfig) -> str:
    """The key of a stage that every section shapes."""
    stage = Stage("all", 1, tuple(PipelineConfig.model_fields)[1:], (), "", "")
    return key_of(identity(stage, config, {}))


def leaves(model: BaseModel, path: tuple[str, ...] = (), placed: bool = False) -> list[Any]:
    """(path, value, is a placement) of every plain field below a section."""
    found: list[Any] = []
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        here = placed or any(isinstance(mark, Placement) for mark in field.metadata)
        if isinstance(value, BaseModel):
            found += leaves(value, (*path, name), here)
        else:
            found.append(((*path, name), value, here))
    return found


def changed(model: Any, path: tuple[str, ...], value: Any) -> Any:
    name, *rest = path
    inner = changed(getattr(model, name), tuple(rest), value) if rest else value
    return model.model_copy(update={name: inner})


def others(value: Any) -> list[Any]:
    """Other values of the same kind; whether the section would allow them is not asked."""
    kinds: dict[type, list[Any]] = {
        bool: [not value],
        int: [-1, 0, 1, 10**7],
        float: [-0.5, 0.0, 1e-9, 1.0, 1e300],
        str: ["", "something", "\u0130"],
        tuple: [(), ("something",)],
        dict: [{}, {"something": "else"}],
        type(None): [1.0],
    }
    kind = next(kind for kind in kinds if isinstance(value, kind))
    return [one for one in kinds[kind] if one != value]


CONFIG = PipelineConfig()
IDLE = (
    ("ingest", "drawn", "clip"),
    *(("ingest", source) for source in ("manifest", "hub", "photos", "pages", "videos")),
    ("ingest", "near_duplicates"),
    ("annotate", "openai"),
    ("base_model", "pretrained"),
    ("base_model", "clip"),
    *(
        ("sft", "select", field)
        for field in (
            "rapr_at_most",
            "accuracy_with_operation",
            "accuracy_with_operation_at_most",
            "every",
            "questions",
            "samples",
            "temperature",
        )
    ),
    *(("text_only", field) for field in ("samples", "sampling", "chunk", "seed")),
    *(("rl", "replay", field) for field in ("exponent", "max_age", "clear_every")),
    ("rl", "reward", "lagrangian"),
    ("rl", "openrlhf"),
    ("sft", "ray_train"),
    ("study", "quick"),
    ("answers", "engine"),
    ("text_only", "engine"),
    *(("benchmarks", "answers", field) for field in ("engine", "seed")),
)
# The switches themselves change which settings are idle; they have a test of their own.
SWITCHES = {
    ("ingest", "sources"),
    ("annotate", "by"),
    ("base_model", "source"),
    ("base_model", "phases"),
    ("sft", "backend"),
    ("rl", "backend"),
    *(
        (*section, "engine", "kind")
        for section in (("answers",), ("text_only",), ("benchmarks", "answers"))
    ),
}
FIELDS = [leaf for leaf in leaves(CONFIG) if leaf[0] not in SWITCHES and leaf[0] != ("name",)]


def test_key_follows_every_field_but_placements_and_idle_ones() -> None:
    before = whole(CONFIG)
    wrong = []
    for path, value, placed in FIELDS:  # each of them, every time: none is left to luck
        ignored = placed or any(path[: len(idle)] == idle for idle in IDLE)
        for new in others(value):
            if (whole(changed(CONFIG, path, new)) == before) != ignored:
                wrong.append((".".join(path), new))
    assert wrong == []


@pytest.mark.parametrize("clips", [0, 2])
def test_a_clips_world_matters_where_clips_are_taught(clips: int) -> None:
    phase = PerceptionPhase(steps=1, reading=1, clips=clips)
    plain = BaseModelConfig(phases=(phase,))
    other_world = BaseModelConfig(phases=(phase,), clip=ClipConfig(visits=2))
    assert (canonical(plain, "s") != canonical(other_world, "s")) == bool(clips)


def test_there_are_placements_and_others_to_try() -> None:
    assert sum(placed for _, _, placed in FIELDS) >= 8
    assert sum(not placed for _, _, placed in FIELDS) >= 60


@pytest.mark.parametrize(
    ("section", "idle", "active"),
    [
        (IngestConfig(), {"drawn": {"train": 7}}, {"sources": ("manifest",)}),
        (
            IngestConfig(),
            {"manifest": {"max_picture_pixels": 5}},
            {"sources": ("drawn",)},
        ),
        (AnnotateConfig(), {"openai": {"model": "another"}}, {"by": "source"}),
        (BaseModelConfig(), {"pretrained": {"revision": "abc"}}, {"source": "tiny"}),
        (BaseModelConfig(), {"tiny": {"layers": 9}, "seed": 5}, {"source": "pretrained"}),
    ],
)
def test_settings_of_a_source_out_of_use_do_not_matter(
    section: Section, idle: dict[str, Any], active: dict[str, Any]
) -> None:
    kind = type(section)
    assert canonical(kind(**active), "s") == canonical(kind(**active, **idle), "s")
    switch = next(iter(active))
    if switch == "sources":
        turned: dict[str, Any] = {switch: tuple(idle)}
    else:
        values = set(get_args(kind.model_fields[switch].annotation)) - set(active.values())
        turned = {switch: values.pop()}
    assert canonical(kind(**turned), "s") != canonical(kind(**turned, **idle), "s")


def test_everything_else_of_a_stage_joins_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(stage: Stage, digest: str = DIGEST) -> str:
        return key_of(identity(stage, small(), dict.fromkeys(stage.needs, digest)))

    keys = {key(NUMBERS), key(SQUARES), key(SQUARES, "1" * 64)}
    for change in ({"name": "other"}, {"version": 2}, {"arguments": {"start": 1}}):
        keys.add(key(Stage(**{**vars(SQUARES), **change})))
    monkeypatch.setenv("CONTENT", "another file")
    keys.add(key(NUMBERS))
    assert len(keys) == 7


def test_same_parts_give_the_same_key_whatever_their_order() -> None:
    assert canonical_json({"a": 1, "b": [0.0]}) == canonical_json({"b": (-0.0,), "a": 1})


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (math.nan, "nan is not a finite number"),
        (math.inf, "inf is not a finite number"),
        ({1, 2}, "is a set"),
        (b"bytes", "is a bytes"),
        (object(), "is a object"),
        (np.arange(2), "is a ndarray"),
        (Path("/data"), "is a path"),
        ({1: 2}, "has the key 1"),
    ],
)
def test_values_without_a_canonical_form_are_refused(value: Any, told: str) -> None:
    with pytest.raises(IdentityError, match=told) as caught:
        canonical({"deep": [value]}, "sft")
    assert "sft.deep.0" in str(caught.value)
    assert isinstance(caught.value, ConfigError)


def test_a_marked_path_is_no_part_and_an_unmarked_one_is_refused() -> None:
    class Marked(Section):
        place: Annotated[Path, Placement()] = Path("/data")

    class Unmarked(Section):
        place: Path = Path("/data")

    assert canonical(Marked(), "s") == {}
    with pytest.raises(IdentityError, match="mark the field Placement"):
        canonical(Unmarked(), "s")


def test_enums_count_by_value() -> None:
    class Kind(StrEnum):
        A = "a"

    assert canonical_json([Kind.A]) == canonical_json(["a"])


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(json_values)
def test_canonical_form_is_stable(value: Any) -> None:
    once = canonical(value, "v")
    assert canonical(once, "v") == once
    assert canonical_json(once) == canonical_json(value)


def test_every_stage_of_the_pipeline_names_sections_that_exist() -> None:
    for stage in STAGES:
        assert set(stage.sections) <= set(PipelineConfig.model_fields)
