"""One validated configuration for the whole path; profiles (``profile.py``) are laid over it.

Every field is part of the identity of the artifacts it shapes, except those marked
``Placement``: where and how fast a stage runs does not change what it makes.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Placement:
    """Marks a field that says where or how a stage runs, not what it makes."""


Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Momentum = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """Frozen; an unknown field is an error, never a silent no-op."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def idle_fields(self) -> frozenset[str]:
        """Fields that shape nothing under the present settings; left out of identities."""
        return frozenset()


# --- what the model sees and may do ---------------------------------------------------


class PixelBudget(Section):
    """Pixels of a picture after resizing, both ends included (a visual token is 28x28)."""

    min_pixels: Positive = 4 * 28 * 28
    max_pixels: Positive = 2000 * 28 * 28

    @model_validator(mode="after")
    def _ordered(self) -> PixelBudget:
        if self.min_pixels > self.max_pixels:
            raise ValueError(
                f"min_pixels {self.min_pixels} is above max_pixels {self.max_pixels}"
            )
        return self


class ZoomConfig(Section):
    """The zoom operation, as the schema states it and as it is executed."""

    name: str = "zoom_in"
    #: ``pixel``: integers in the shown picture; ``normalized``: numbers from 0 to 1.
    coordinates: Literal["pixel", "normalized"] = "normalized"
    #: Added on every side, as a share of the picture, then clamped to it.
    padding: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    #: The crop must be larger than this on both sides, in pixels of the original.
    min_side: Positive = 28


class DialogueConfig(Section):
    """The contract between model and episode; equal in every stage, so that they agree."""

    #: ``full`` lists the tools in a system turn; ``compact`` is for a model trained from
    #: nothing, which needs no description of what it was taught.
    prompt: Literal["full", "compact"] = "full"
    picture: PixelBudget = PixelBudget()
    crop: PixelBudget = PixelBudget(max_pixels=1000 * 28 * 28)
    zoom: ZoomConfig = ZoomConfig()
    max_operations: Count = 4
    max_pictures: Positive = 16
    max_new_tokens: Positive = 2048
    max_tokens: Positive = 12_000

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.max_tokens <= self.max_new_tokens:
            raise ValueError(
                f"max_tokens {self.max_tokens} leaves no room for a prompt beside a turn of "
                f"max_new_tokens {self.max_new_tokens}: every episode would end unasked"
            )
        return self


# --- ingest ---------------------------------------------------------------------------


class Weights(Section):
    """Weights that are not all 0: something must be drawn."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        names = type(self).model_fields
        if not any(getattr(self, name) for name in names):
            raise ValueError(f"all weights ({', '.join(names)}) are 0: raise at least one")
        return self


class QuestionShares(Weights):
    """How often each question kind is asked in the drawn world; weights, not shares."""

    digit: Weight = 0.6
    count: Weight = 0.15
    exists: Weight = 0.25


class WorldConfig(Section):
    """The drawn visual-search world: coloured cards on a grid, a digit on each."""

    side: Positive = 448
    grid: Positive = 4
    card: Positive = 64
    jitter: Count = 4
    min_cards: Positive = 3
    max_cards: Annotated[int, Field(gt=0, le=8)] = 6
    #: Pixels of the picture a glyph cell (of 5x7) takes.
    small_glyph: Positive = 2
    big_glyph: Positive = 7
    big_share: Share = 0.5
    questions: QuestionShares = QuestionShares()


class DrawnConfig(Section):
    world: WorldConfig = WorldConfig()
    train: Positive = 3000
    validation: Positive = 200
    test: Positive = 500
    seed: int = 0


class SplitShares(Section):
    """Shares for records that name no split; a record's place follows from its id."""

    validation: Share = 0.1
    test: Share = 0.2

    @model_validator(mode="after")
    def _rest(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation {self.validation} and test {self.test} leave nothing to train on"
            )
        return self


class ManifestConfig(Section):
    """A JSONL or Parquet file of questions beside a folder of pictures."""

    #: Its content, not its place, is part of the identity (see ``seeds.fingerprint``).
    path: Annotated[str, Placement()] = ""
    #: The folder the records' picture paths start from; "" is the manifest's own.
    pictures: Annotated[str, Placement()] = ""
    splits: SplitShares = SplitShares()
    max_picture_pixels: Positive = 100_000_000


class IngestConfig(Section):
    source: Literal["drawn", "manifest"] = "drawn"
    drawn: DrawnConfig = DrawnConfig()
    manifest: ManifestConfig = ManifestConfig()

    def idle_fields(self) -> frozenset[str]:
        return frozenset({"drawn", "manifest"} - {self.source})


# --- annotate, synthesize -------------------------------------------------------------


class OpenAIConfig(Section):
    """A vision model behind an OpenAI-compatible endpoint. The key stays in the environment."""

    model: str = "gpt-4o-2024-11-20"
    prompt_version: str = "1"
    max_picture_pixels: Positive = 2000 * 28 * 28
    base_url: Annotated[str, Placement()] = "https://api.openai.com/v1"
    api_key_env: Annotated[str, Placement()] = "OPENAI_API_KEY"
    timeout_s: Annotated[Rate, Placement()] = 60.0
    max_retries: Annotated[Count, Placement()] = 4
    concurrency: Annotated[Positive, Placement()] = 8


class AnnotateConfig(Section):
    by: Literal["source", "openai"] = "source"
    openai: OpenAIConfig = OpenAIConfig()

    def idle_fields(self) -> frozenset[str]:
        return frozenset() if self.by == "openai" else frozenset({"openai"})


class KindShares(Weights):
    """Weights of the trajectory kinds for seeds with a cue. The paper's image shares are
    30/20/20/30 over the last four; ``direct`` stands beside them."""

    direct: Weight = 0.27
    single_pass: Weight = 0.3
    recrop_once: Weight = 0.2
    recrop_twice: Weight = 0.2
    further_zoom: Weight = 0.3


class SynthesizeConfig(Section):
    kinds: KindShares = KindShares()
    #: ``plain`` has the paper's full sentences; ``terse`` is for the tiny model.
    templates: Literal["plain", "terse"] = "plain"
    #: The margin put around a cue before it is asked for, as a share of the cue's side.
    margin: Annotated[float, Field(ge=0)] = 0.1
    #: How many times the cue's area a too-large box covers, at least.
    too_large: Annotated[float, Field(gt=1)] = 4.0
    seed: int = 0


# --- models and training --------------------------------------------------------------


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


#: The counts of a ``PerceptionPhase``, in the order a step builds its items.
PERCEPTION_TASKS = (
    "listing",
    "pointing",
    "reading",
    "grounding",
    "answering",
    "crop_answering",
)


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
    #: Give a card's box as JSON, as Qwen2.5-VL does when asked where something is.
    grounding: Count = 0
    #: Answer a question at once.
    answering: Count = 0
    #: Answer after a crop that was shown without being asked for.
    crop_answering: Count = 0
    min_cards: Positive = 3
    max_cards: Annotated[int, Field(gt=0, le=8)] = 6
    optimizer: OptimizerConfig = OptimizerConfig(kind="muon", learning_rate=2e-3)

    @model_validator(mode="after")
    def _teaches(self) -> Self:
        if not any(getattr(self, task) for task in PERCEPTION_TASKS):
            raise ValueError(
                f"a phase without items teaches nothing: give one of {PERCEPTION_TASKS}"
            )
        if self.min_cards > self.max_cards:
            raise ValueError(f"min_cards {self.min_cards} is above max_cards {self.max_cards}")
        return self


class PretrainedConfig(Section):
    """A local folder or a hub id; a hub id needs the revision (a commit) it is pinned to."""

    path: Annotated[str, Placement()] = ""
    revision: str = ""


class BaseModelConfig(Section):
    source: Literal["tiny", "pretrained"] = "tiny"
    tiny: TinyModelConfig = TinyModelConfig()
    phases: tuple[PerceptionPhase, ...] = ()
    #: The drawn world the tiny model is pretrained on; its seeds are apart from ingest's.
    world: WorldConfig = WorldConfig()
    #: A step's batch is cut in this many shares, each with its own random stream; workers
    #: divide the shares, so one worker and two compute the same bits.
    shards: Positive = 2
    pretrained: PretrainedConfig = PretrainedConfig()
    seed: int = 0
    checkpoint_every: Annotated[Positive, Placement()] = 50

    def idle_fields(self) -> frozenset[str]:
        if self.source == "tiny":
            return frozenset({"pretrained"})
        return frozenset({"tiny", "phases", "world", "shards", "seed"})


class SftConfig(Section):
    steps: Positive = 100
    batch: Positive = 32
    shards: Positive = 2
    freeze_vision: bool = False
    optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-6, schedule="cosine", warmup_steps=10
    )
    seed: int = 0
    checkpoint_every: Annotated[Positive, Placement()] = 25


class CuriosityConfig(Section):
    """r' = r + alpha * max(H - RaPR, 0) * 1[operation] + beta * min(N - n_vo, 0)."""

    alpha: Annotated[float, Field(ge=0)] = 0.5
    beta: Annotated[float, Field(ge=0)] = 0.05
    rapr_target: Share = 0.3  #: H
    free_operations: Count = 1  #: N


class SamplingConfig(Section):
    """The same in every turn of an episode. Temperature 0 is greedy."""

    temperature: Annotated[float, Field(ge=0)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0


class RlConfig(Section):
    steps: Positive = 100
    queries: Positive = 16
    #: Rollouts of one query; a group of one has no advantage, so at least two.
    group: Annotated[int, Field(ge=2)] = 8
    shards: Positive = 2
    reward: CuriosityConfig = CuriosityConfig()
    advantage: Literal["mean", "mean_std"] = "mean_std"
    clip_low: Rate = 0.2
    clip_high: Rate = 0.2
    sampling: SamplingConfig = SamplingConfig()
    freeze_vision: bool = False
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-6)
    #: Validation questions answered (greedily) each time the curve gets a point; 0: never.
    validate_every: Count = 0
    validation_questions: Count = 100
    seed: int = 0
    checkpoint_every: Annotated[Positive, Placement()] = 10

    @model_validator(mode="after")
    def _explores(self) -> Self:
        if self.sampling.temperature == 0:
            raise ValueError(
                "sampling.temperature 0 makes all rollouts of a group equal: nothing is learnt"
            )
        return self


# --- evaluation and report ------------------------------------------------------------


class AnswersConfig(Section):
    """How a model answers the held-out questions."""

    limit: Positive = 1000
    #: Sampled answers a question, beside the greedy one.
    samples: Positive = 2
    sampling: SamplingConfig = SamplingConfig()
    chunk: Positive = 50
    seed: int = 0


class EvaluateConfig(Section):
    benchmark: str = "drawn"
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    resamples: Positive = 2000
    seed: int = 0


class ReportConfig(Section):
    title: str = "Pixel Reasoner"
    examples: Count = 6


class RuntimeConfig(Section):
    """Where a run happens. Nothing here changes what it makes."""

    #: Training processes on this machine; 0: one a core, at most the stage's shards.
    workers: Annotated[Count, Placement()] = 0
    store: Annotated[str, Placement()] = ".pixel"


class PipelineConfig(Section):
    name: str = "custom"
    dialogue: DialogueConfig = DialogueConfig()
    ingest: IngestConfig = IngestConfig()
    annotate: AnnotateConfig = AnnotateConfig()
    synthesize: SynthesizeConfig = SynthesizeConfig()
    base_model: BaseModelConfig = BaseModelConfig()
    sft: SftConfig = SftConfig()
    rl: RlConfig = RlConfig()
    answers: AnswersConfig = AnswersConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    report: ReportConfig = ReportConfig()
    runtime: RuntimeConfig = RuntimeConfig()
