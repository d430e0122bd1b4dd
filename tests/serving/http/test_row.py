"""The endpoint as a model of our own evaluation: one turn without operations, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from memorised import memorised
from serving_world import MODEL, Running, serving
from tiny_world import opening

from pixel_core.config import EndpointEngineConfig, SamplingConfig
from pixel_core.errors import EndpointError
from pixel_core.models.endpoint_engine import EndpointEngine
from pixel_core.models.engine import EmbeddedEngine
from pixel_core.models.engines import endpoint_of
from pixel_core.rollout.episode import RenderedPrompt, run_episodes
from pixel_core.rollout.renderer import Renderer

GREEDY = SamplingConfig(temperature=0.0)


@contextmanager
def engine_at(running: Running) -> Iterator[EndpointEngine]:
    config = EndpointEngineConfig(
        base_url=f"{running.url}/v1", model=MODEL, api_key_env="", attempts=1
    )
    vocabulary = memorised().world.vocabulary
    endpoint = endpoint_of(config, "benchmarks.endpoints.ours")
    with closing(EndpointEngine(endpoint, vocabulary)) as engine:
        yield engine


def test_without_operations_it_says_what_the_model_says_here() -> None:
    world = memorised().world
    bare = world.prompts.dialogue.model_copy(update={"operations": "none"})
    prompts = Renderer(bare, world.vocabulary)
    openings: list[RenderedPrompt] = [opening(prompts, 200 + seed) for seed in range(8)]
    embedded = EmbeddedEngine(world.model, world.vocabulary)
    here = run_episodes(embedded, prompts, openings, 1, GREEDY)
    with serving(dialogue=bare) as running, engine_at(running) as engine:
        there = run_episodes(engine, prompts, openings, 1, GREEDY)
    assert [episode.record() for episode in there] == [episode.record() for episode in here]


def test_with_operations_it_refuses_a_second_turn() -> None:
    """It ran the episode already, and says so rather than answer a question without its
    history."""
    known = memorised()
    with (
        serving() as running,
        engine_at(running) as engine,
        pytest.raises(EndpointError, match="episode of its own"),
    ):
        run_episodes(engine, known.world.prompts, [known.openings[1]], 1, GREEDY)
