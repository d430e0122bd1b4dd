"""The sections ``base_model`` and ``sft``, and the optimizer they share with ``rl``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pixel_core.config.cluster import PlaceConfig
from pixel_core.config.drawn import ClipConfig, WorldConfig
from pixel_core.config.ray_train import RayTrainConfig
from pixel_core.config.section import Count, Momentum, Placement, Positive, Rate, Section, Share


class OptimizerConfig(Section):
    """AdamW, or Muon for the matrices with AdamW for the rest. Linear warm-up, then
    constant until ``hold`` of the steps, then linear (or cosine) down to ``final``."""

    kind: Literal["adamw", "muon"] = "adamw"
    learning_rate: Rate = 1e-6
    muon_learning_rate: Rate = 0.005
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    betas: tuple[Momentum, Momentum] = (0.9, 0.95)
    warmup_steps: Count = 0
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    hold: Share = 0.0
    final: Share = 0.0
    max_grad_norm: Rate = 1.0


class TinyModelConfig(Section):
    """A real Qwen2.5-VL, small: about 0.8 million parameters."""

    vision_depth: Positive = 2
    vision_hidden: Positive = 64
    layers: Positive = 3
    hidden: Positive = 128
    heads: Positive = 4
    #: 1e6, the released models' value, makes the spatial frequencies vanish at this size.
    rope_theta: Rate = 50.0
    init_std: Rate = 0.06

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.hidden % (8 * self.heads) or self.vision_hidden % 32:
            raise ValueError(
                f"hidden {self.hidden} must be a multiple of 8 x heads ({8 * self.heads}), "
                f"vision_hidden {self.vision_hidden} of 32"
            )
        return self


#: The task counts of a ``PerceptionPhase``, in the order in which a step builds its items.
PERCEPTION_TASKS = (
    "listing",
    "pointing",
    "reading",
    "grounding",
    "answering",
    "crop_answering",
)
#: The same on clips of the drawn world.
CLIP_TASKS = ("clip_pointing", "clip_reading", "clip_grounding", "clip_answering")


class PerceptionPhase(Section):
    """A stretch of pretraining: how many items of each task a step has, over how many
    scenes. Items that share a scene share its pass through the vision tower."""

    steps: Positive
    scenes: Positive = 24
    #: Name every card in raster order, with its place and its digit.
    listing: Count = 0
    #: Given which card, say where it is and what is on it.
    pointing: Count = 0
    #: Read the digit of a zoomed card.
    reading: Count = 0
    #: Give a card's box as JSON, as Qwen2.5-VL does when asked for an object's location.
    grounding: Count = 0
    #: Answer a question directly.
    answering: Count = 0
    #: Answer after a crop that was shown unasked.
    crop_answering: Count = 0
    #: Clips per step; the clip tasks share them.
    clips: Count = 0
    #: Given which card, name the first frame that shows it.
    clip_pointing: Count = 0
    #: Read the digit in a selected frame.
    clip_reading: Count = 0
    #: Name the frames that show a card, as JSON.
    clip_grounding: Count = 0
    #: Answer after frames that were shown unasked.
    clip_answering: Count = 0
    min_cards: Positive = 3
    max_cards: Annotated[int, Field(gt=0, le=8)] = 6
    optimizer: OptimizerConfig = OptimizerConfig(kind="muon", learning_rate=2e-3)

    @model_validator(mode="after")
    def _teaches(self) -> Self:
        tasks = (*PERCEPTION_TASKS, *CLIP_TASKS)
        if not any(getattr(self, task) for task in tasks):
            raise ValueError(f"a phase without items teaches nothing: give one of {tasks}")
        if not self.clips and any(getattr(self, task) for task in CLIP_TASKS):
            raise ValueError("clips 0 leaves the tasks on clips without any: give some")
        if self.min_cards > self.max_cards:
            raise ValueError(f"min_cards {self.min_cards} is above max_cards {self.max_cards}")
        return self


class PretrainedConfig(Section):
    """A local folder or a hub id; a hub id needs the revision (a commit) it is pinned to.

    It may hold a LoRA adapter, which is merged into ``base``.
    """

    path: Annotated[str, Placement()] = ""
    revision: str = ""
    #: The base model of an adapter, a folder or NAME@COMMIT; "": as its own config says.
    base: Annotated[str, Placement()] = ""


class BaseModelConfig(Section):
    source: Literal["tiny", "pretrained"] = "tiny"
    tiny: TinyModelConfig = TinyModelConfig()
    phases: tuple[PerceptionPhase, ...] = ()
    #: The drawn world for pretraining the tiny model; its seeds are separate from ingest's.
    world: WorldConfig = WorldConfig()
    clip: ClipConfig = ClipConfig()
    #: A step's batch is cut into this many shares, each with its own random stream; workers
    #: divide the shares, so one worker and two compute the same bits.
    shards: Positive = 2
    pretrained: PretrainedConfig = PretrainedConfig()
    seed: int = 0
    checkpoint_every: Annotated[Positive, Placement()] = 50
    place: Annotated[PlaceConfig, Placement()] = PlaceConfig()

    def idle_fields(self) -> frozenset[str]:
        if self.source == "tiny":
            clips = any(phase.clips for phase in self.phases)
            return frozenset({"pretrained"} if clips else {"pretrained", "clip"})
        return frozenset({"tiny", "phases", "world", "clip", "shards", "seed"})


class SelectConfig(Section):
    """When the warm start is ready, said before any RL outcome is seen: training ends at the
    first check at which sampled answers to validation questions lie in a window."""

    #: The RaPR to reach; 0: train for all steps.
    rapr: Share = 0.0
    #: The RaPR not to pass; 1: any.
    rapr_at_most: Share = 1.0
    #: The share of right answers among those with an operation, to be reached too; 0: any.
    accuracy_with_operation: Share = 0.0
    #: The upper bound of that share; 1: any.
    accuracy_with_operation_at_most: Share = 1.0
    every: Positive = 10  #: Steps between checks.
    questions: Positive = 100
    samples: Positive = 1  #: Answers per question.
    #: RL's sampling temperature; greedy answers hide an operation that is merely likely.
    temperature: Rate = 1.0

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        for name in ("rapr", "accuracy_with_operation"):
            low, high = getattr(self, name), getattr(self, f"{name}_at_most")
            if high < 1 and high <= low:
                raise ValueError(
                    f"{name}_at_most {high:g} is not above {name} {low:g}: no check could lie "
                    f"between them; raise {name}_at_most (1: no bound), or lower {name}"
                )
        return self

    def standing(
        self, scores: Mapping[str, float], tolerance: float = 0.0
    ) -> Literal["before", "within", "beyond"]:
        """Where a check's validation scores lie. Accuracy counts once RaPR is reached: that of
        a handful of answers says nothing. ``tolerance``: what the scores may be rounded by."""
        rapr = scores.get("validation_rapr", 0.0)
        # Without an operation there is no accuracy with one.
        accuracy = scores.get("validation_accuracy_with_operation", 0.0)
        if rapr < self.rapr - tolerance:
            return "before"
        highest = self.rapr_at_most, self.accuracy_with_operation_at_most
        if rapr > highest[0] + tolerance or accuracy > highest[1] + tolerance:
            return "beyond"
        reached = accuracy >= self.accuracy_with_operation - tolerance
        return "within" if reached else "before"

    def idle_fields(self) -> frozenset[str]:
        if not self.rapr:
            return frozenset(type(self).model_fields) - {"rapr"}
        # A bound without effect is left out: identities from before the bounds stay valid.
        bounds = ("rapr_at_most", "accuracy_with_operation_at_most")
        return frozenset(name for name in bounds if getattr(self, name) == 1)


class SftConfig(Section):
    #: 0: no warm start, the base model is passed on unchanged.
    steps: Count = 100
    batch: Positive = 32
    shards: Positive = 2
    freeze_vision: bool = False
    optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-6, schedule="cosine", warmup_steps=10
    )
    select: SelectConfig = SelectConfig()
    seed: int = 0
    checkpoint_every: Annotated[Positive, Placement()] = 25
    #: ``team``: worker processes on one machine; ``ray_train``: workers of a Ray cluster. Their
    #: results agree to rounding.
    backend: Annotated[Literal["team", "ray_train"], Placement()] = "team"
    ray_train: RayTrainConfig = RayTrainConfig()
    place: Annotated[PlaceConfig, Placement()] = PlaceConfig()

    @model_validator(mode="after")
    def _checks_before_the_end(self) -> Self:
        if self.select.rapr and self.select.every > self.steps:
            raise ValueError(
                f"select.every {self.select.every} is above steps {self.steps}: the warm start "
                "would never be checked; check more often, or set select.rapr to 0"
            )
        return self

    def idle_fields(self) -> frozenset[str]:
        if not self.steps:
            return frozenset(type(self).model_fields) - {"steps"}
        exact = self.backend == "team" or self.ray_train.dtype == "float32"
        return frozenset({"ray_train"} if exact else ())
