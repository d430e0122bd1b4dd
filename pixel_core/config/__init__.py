"""One validated configuration for the whole path; profiles (``profile.py``) are laid over it.

Every field is part of the identity of the artifacts it shapes, except those marked
``Placement``: where and how fast a stage runs does not change what it makes.
"""

from __future__ import annotations

from pixel_core.config.data import (
    AnnotateConfig,
    DrawnConfig,
    IngestConfig,
    KindShares,
    ManifestConfig,
    OpenAIConfig,
    QuestionShares,
    SplitShares,
    SynthesizeConfig,
    WorldConfig,
)
from pixel_core.config.dialogue import (
    DialogueConfig,
    FramesConfig,
    PixelBudget,
    SamplingConfig,
    ZoomConfig,
)
from pixel_core.config.evaluation import (
    AnswersConfig,
    EvaluateConfig,
    ReportConfig,
)
from pixel_core.config.guards import (
    Guard,
    GuardsConfig,
)
from pixel_core.config.pipeline import (
    PipelineConfig,
    RuntimeConfig,
)
from pixel_core.config.reward import (
    AdvantageKind,
    LagrangianConfig,
    RewardConfig,
)
from pixel_core.config.rl import (
    ReplayConfig,
    RlConfig,
)
from pixel_core.config.section import (
    Count,
    Momentum,
    Placement,
    Positive,
    Rate,
    Section,
    Share,
    Weight,
    Weights,
)
from pixel_core.config.study import (
    ArmConfig,
    ClaimsConfig,
    Departure,
    StudyConfig,
)
from pixel_core.config.training import (
    PERCEPTION_TASKS,
    BaseModelConfig,
    OptimizerConfig,
    PerceptionPhase,
    PretrainedConfig,
    SelectConfig,
    SftConfig,
    TinyModelConfig,
)

__all__ = [
    "PERCEPTION_TASKS",
    "AdvantageKind",
    "AnnotateConfig",
    "AnswersConfig",
    "ArmConfig",
    "BaseModelConfig",
    "ClaimsConfig",
    "Count",
    "Departure",
    "DialogueConfig",
    "DrawnConfig",
    "EvaluateConfig",
    "FramesConfig",
    "Guard",
    "GuardsConfig",
    "IngestConfig",
    "KindShares",
    "LagrangianConfig",
    "ManifestConfig",
    "Momentum",
    "OpenAIConfig",
    "OptimizerConfig",
    "PerceptionPhase",
    "PipelineConfig",
    "PixelBudget",
    "Placement",
    "Positive",
    "PretrainedConfig",
    "QuestionShares",
    "Rate",
    "ReplayConfig",
    "ReportConfig",
    "RewardConfig",
    "RlConfig",
    "RuntimeConfig",
    "SamplingConfig",
    "Section",
    "SelectConfig",
    "SftConfig",
    "Share",
    "SplitShares",
    "StudyConfig",
    "SynthesizeConfig",
    "TinyModelConfig",
    "Weight",
    "Weights",
    "WorldConfig",
    "ZoomConfig",
]
