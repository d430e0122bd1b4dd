"""One validated configuration for the whole path; profiles (``profile.py``) are laid over it.

Every field is part of the identity of the artifacts it shapes, except those marked
``Placement``: where and how fast a stage runs does not change what it makes.
"""

from __future__ import annotations

from pixel_core.config.annotate import (
    AnnotateConfig,
    BatchConfig,
    OpenAIConfig,
    PromptVersions,
    TokenPrices,
    VerifyConfig,
)
from pixel_core.config.benchmarks import (
    BenchmarkAnswersConfig,
    BenchmarkDataConfig,
    BenchmarkName,
    BenchmarksConfig,
    BenchmarkScoringConfig,
)
from pixel_core.config.cluster import ClusterConfig, PlaceConfig
from pixel_core.config.dialogue import (
    DialogueConfig,
    FramesConfig,
    PixelBudget,
    SamplingConfig,
    ZoomConfig,
)
from pixel_core.config.drawn import ClipConfig, DrawnConfig, QuestionShares, WorldConfig
from pixel_core.config.engine import EndpointEngineConfig, EngineConfig, VllmConfig
from pixel_core.config.evaluation import AnswersConfig, EvaluateConfig, ReportConfig
from pixel_core.config.guards import Guard, GuardsConfig
from pixel_core.config.hub import HubConfig
from pixel_core.config.imported import ImportedConfig
from pixel_core.config.ingest import IngestConfig, SourceName
from pixel_core.config.manifest import ManifestConfig, SplitShares
from pixel_core.config.openrlhf import OpenrlhfConfig
from pixel_core.config.pages import PagesConfig
from pixel_core.config.photos import PhotosConfig
from pixel_core.config.pipeline import PipelineConfig, RuntimeConfig
from pixel_core.config.ray_train import RayTrainConfig
from pixel_core.config.reward import AdvantageKind, LagrangianConfig, RewardConfig
from pixel_core.config.rl import ReplayConfig, RlConfig
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
from pixel_core.config.study import ArmConfig, ClaimsConfig, Departure, StudyConfig
from pixel_core.config.synthesize import KindShares, SynthesizeConfig, VideoKindShares
from pixel_core.config.text_only import TextOnlyConfig
from pixel_core.config.training import (
    CLIP_TASKS,
    PERCEPTION_TASKS,
    BaseModelConfig,
    OptimizerConfig,
    PerceptionPhase,
    PretrainedConfig,
    SelectConfig,
    SftConfig,
    TinyModelConfig,
)
from pixel_core.config.videos import VideosConfig

__all__ = [
    "CLIP_TASKS",
    "PERCEPTION_TASKS",
    "AdvantageKind",
    "AnnotateConfig",
    "AnswersConfig",
    "ArmConfig",
    "BaseModelConfig",
    "BatchConfig",
    "BenchmarkAnswersConfig",
    "BenchmarkDataConfig",
    "BenchmarkName",
    "BenchmarkScoringConfig",
    "BenchmarksConfig",
    "ClaimsConfig",
    "ClipConfig",
    "ClusterConfig",
    "Count",
    "Departure",
    "DialogueConfig",
    "DrawnConfig",
    "EndpointEngineConfig",
    "EngineConfig",
    "EvaluateConfig",
    "FramesConfig",
    "Guard",
    "GuardsConfig",
    "HubConfig",
    "ImportedConfig",
    "IngestConfig",
    "KindShares",
    "LagrangianConfig",
    "ManifestConfig",
    "Momentum",
    "OpenAIConfig",
    "OpenrlhfConfig",
    "OptimizerConfig",
    "PagesConfig",
    "PerceptionPhase",
    "PhotosConfig",
    "PipelineConfig",
    "PixelBudget",
    "PlaceConfig",
    "Placement",
    "Positive",
    "PretrainedConfig",
    "PromptVersions",
    "QuestionShares",
    "Rate",
    "RayTrainConfig",
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
    "SourceName",
    "SplitShares",
    "StudyConfig",
    "SynthesizeConfig",
    "TextOnlyConfig",
    "TinyModelConfig",
    "TokenPrices",
    "VerifyConfig",
    "VideoKindShares",
    "VideosConfig",
    "VllmConfig",
    "Weight",
    "Weights",
    "WorldConfig",
    "ZoomConfig",
]
