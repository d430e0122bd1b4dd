"""All sections together."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ValidationError, model_validator

from pixel_core.config.annotate import AnnotateConfig
from pixel_core.config.benchmarks import BenchmarksConfig
from pixel_core.config.cluster import ClusterConfig
from pixel_core.config.dialogue import DialogueConfig
from pixel_core.config.evaluation import AnswersConfig, EvaluateConfig, ReportConfig
from pixel_core.config.ingest import IngestConfig
from pixel_core.config.rl import RlConfig
from pixel_core.config.section import Count, Placement, Section
from pixel_core.config.study import StudyConfig
from pixel_core.config.synthesize import SynthesizeConfig
from pixel_core.config.text_only import TextOnlyConfig
from pixel_core.config.training import BaseModelConfig, SftConfig


class RuntimeConfig(Section):
    """Where a run happens. Nothing here changes what it makes."""

    #: Training processes on this machine; 0: one per core, at most the stage's shards.
    workers: Annotated[Count, Placement()] = 0
    store: Annotated[str, Placement()] = ".pixel"


class PipelineConfig(Section):
    name: str = "custom"
    dialogue: DialogueConfig = DialogueConfig()
    ingest: IngestConfig = IngestConfig()
    annotate: AnnotateConfig = AnnotateConfig()
    synthesize: SynthesizeConfig = SynthesizeConfig()
    base_model: BaseModelConfig = BaseModelConfig()
    text_only: TextOnlyConfig = TextOnlyConfig()
    sft: SftConfig = SftConfig()
    rl: RlConfig = RlConfig()
    answers: AnswersConfig = AnswersConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    report: ReportConfig = ReportConfig()
    benchmarks: BenchmarksConfig = BenchmarksConfig()
    study: StudyConfig = StudyConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    cluster: ClusterConfig = ClusterConfig()

    @model_validator(mode="after")
    def _evaluation_fits(self) -> Self:
        """A profile whose models could not be evaluated is refused before any is trained."""
        if self.dialogue.operations == "none":
            raise ValueError(
                "dialogue.operations 'none' would train models on calls that they can't make: "
                "for the baseline without operations set benchmarks.notool"
            )
        try:
            self.benchmarks.answers.dialogue(self.dialogue, operations=True)
        except ValidationError as error:
            faults = "; ".join(fault["msg"] for fault in error.errors())
            raise ValueError(
                f"benchmarks.answers does not fit the section dialogue: {faults}"
            ) from error
        return self
