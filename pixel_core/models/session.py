"""A model that answers questions through the episode loop, in whatever process it is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pixel_core.config import DialogueConfig, EngineConfig, SamplingConfig
from pixel_core.errors import StorageError
from pixel_core.models.endpoint_engine import EndpointEngine
from pixel_core.models.engines import open_engine
from pixel_core.records import Query
from pixel_core.rollout.episode import Episode, RenderedPrompt, run_episodes
from pixel_core.rollout.probe import answer_before_looking
from pixel_core.rollout.queries import QueryReader
from pixel_core.rollout.renderer import Renderer
from pixel_core.workflow.stage import StoredInput


class AnsweringSession:
    """A model and the ingest artifact, opened here: the model with its engine, its prompts,
    and the questions' pictures.

    ``section``: of the profile, whose ``engine`` this is. ``say``, ``endpoint_section``: see
    ``open_engine``, which also says what is raised; ``StorageError`` where the artifacts are
    out of reach.
    """

    def __init__(
        self,
        model: StoredInput,
        ingest: StoredInput,
        dialogue: DialogueConfig,
        engine: EngineConfig,
        section: str,
        say: Callable[[str], None] = lambda sentence: None,
        endpoint_section: str = "",
    ) -> None:
        if engine.kind == "embedded":
            import torch

            torch.set_num_threads(1)  # as in a team: the same bits wherever it runs
        self._engine = open_engine(
            engine,
            fetched(model),
            dialogue,
            section=f"{section}.engine",
            endpoint_section=endpoint_section,
            say=say,
        )
        self.prompts = Renderer(dialogue, self._engine.vocabulary)
        self._questions = QueryReader(fetched(ingest), self.prompts)

    def begin(self, *stream: object) -> None:
        """Answers drawn from now on follow from this name alone (not an endpoint's)."""
        from pixel_core.models.engine import stream_seed

        self._engine.reseed(stream_seed(*stream))

    def open(self, queries: Sequence[Query]) -> list[RenderedPrompt]:
        """The queries with their pictures."""
        return [self._questions.open(query) for query in queries]

    def answer(
        self, openings: Sequence[RenderedPrompt], samples: int, sampling: SamplingConfig
    ) -> list[Episode]:
        """``samples`` episodes of each, in order, as one batch."""
        return run_episodes(self._engine, self.prompts, openings, samples, sampling)

    def answer_before_looking(
        self,
        openings: Sequence[RenderedPrompt],
        episodes: Sequence[Episode],
        sampling: SamplingConfig,
    ) -> list[Episode]:
        """What ``answer`` gave, asked once more before its first look; not of an endpoint."""
        return answer_before_looking(self._engine, self.prompts, openings, episodes, sampling)

    def take_usage(self) -> Mapping[str, int]:
        """What an endpoint was asked since this was last called; nothing elsewhere."""
        engine = self._engine
        return engine.take_usage() if isinstance(engine, EndpointEngine) else {}

    def close(self) -> None:
        self._engine.close()


def fetched(artifact: StoredInput) -> Path:
    """The artifact's folder here. ``StorageError`` where this machine does not have it."""
    folder = artifact.local()
    if not folder.is_dir():
        raise StorageError(
            f"{folder} is not on this machine: engines that run elsewhere need a store that "
            "every node reaches, an s3:// address or a folder that all of them share"
        )
    return folder
