"""What an evaluation is asked for: which questions, and whose models answer them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flows.request import Plan, RunRequest
from pixel_core.config import PipelineConfig
from pixel_core.errors import ConfigError, DataError
from pixel_core.workflow.cluster.layout import check_layout
from pixel_core.workflow.planning import plan
from pixel_core.workflow.stage import Stage
from pixel_core.workflow.store import Artifact, Store
from pixel_core.workflow.table import MODELS, benchmark_stages, rows_of, stages_of

#: The stages that answer and score the run's own test questions.
TEST_QUESTIONS = ("ingest", *(f"answers_{model}" for model in MODELS), "evaluate")


@dataclass(frozen=True)
class TrainedModels:
    """Whose they are, and the key of each model's stage."""

    run: str
    keys: Mapping[str, str]


@dataclass(frozen=True)
class EvaluationRequest(RunRequest):
    """Nothing is trained: models are those of the profile's latest training run. Only a
    pretrained base model that is asked alone is made, since that is mere loading."""

    #: Also, beside the profile's benchmarks, the test questions that its data came with.
    test_questions: bool = True

    def stages(self, config: PipelineConfig) -> tuple[Stage, ...]:
        """The stages that may run, in the table's order."""
        names = {stage.name for stage in benchmark_stages(config)}
        names |= set(TEST_QUESTIONS) if self.test_questions else set()
        if "drawn" in config.benchmarks.names:
            names.add("ingest")
        if self.makes_base(config):
            names.add(MODELS["base"])
        return tuple(stage for stage in stages_of(config) if stage.name in names)

    def models(self, config: PipelineConfig) -> tuple[str, ...]:
        """The stages of the models that answer, in the table's order."""
        asked = set(MODELS) if self.test_questions else set()
        if config.benchmarks.names:
            asked |= {row.model for row in rows_of(config)}
        return tuple(stage for name, stage in MODELS.items() if name in asked)

    def makes_base(self, config: PipelineConfig) -> bool:
        alone = self.models(config) == (MODELS["base"],)
        return alone and config.base_model.source == "pretrained"

    def trained(self, config: PipelineConfig, store: Store) -> TrainedModels:
        """Of the latest run that has them all. Raises ``ConfigError`` where there is none."""
        needed = () if self.makes_base(config) else self.models(config)
        if not needed:
            return TrainedModels("", {})
        for run_id in reversed(store.runs.ids()):
            record = store.runs.get(run_id)
            if record is None or record.profile != config.name:
                continue
            made = {
                stage: record.stages[stage].key
                for stage in needed
                if stage in record.stages and record.stages[stage].status in ("built", "reused")
            }
            keys = {stage: key for stage, key in made.items() if key is not None}
            if len(keys) == len(needed):
                return TrainedModels(run_id, keys)
        raise ConfigError(
            f"no run of profile {config.name!r} in {store.uri} has made {', '.join(needed)} "
            f"yet: run the pipeline first, at least --until {needed[-1]}"
        )

    def plan(self) -> Plan:
        """As ``RunRequest.plan``, of ``stages`` alone, with the trained models given."""
        config = self.config()
        wanted = self.stages(config)
        check_layout([stage for stage in wanted if stage.place(config).on == "ray"], config)
        store = self.open_store(config)
        trained = self.trained(config, store)
        given = {
            stage: _loaded(store, stage, key, trained.run)
            for stage, key in trained.keys.items()
        }
        return config, store, plan(config, store, stages=wanted, given=given)


def unusable(stage: str, run: str, how: str) -> DataError:
    return DataError(
        f"the {stage} of run {run} can't be used: {how}. The pipeline makes it again: pixel "
        f"run --until {stage}"
    )


def _loaded(store: Store, stage: str, key: str, run: str) -> Artifact:
    found = store.load(stage, key)
    if found is None:
        raise unusable(stage, run, "it is gone")
    return found
