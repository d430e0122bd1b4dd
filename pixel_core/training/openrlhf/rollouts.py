"""All rollouts of one prompt, played and scored together inside a vLLM actor.

OpenRLHF starts a coroutine for each rollout of a prompt, all in one actor, in one ``gather``
and with ONE object of sampling parameters: that object is what makes them a group here. Each
coroutine drives its own episode through the project's one loop; the last to finish scores
the group, and then all of them answer.

Work that computes (decoding and cutting pictures, reading turns) is done in threads, one
piece at a time a group, so that the actor's loop keeps its engine fed. Whatever tokenises is
done in ONE thread: the tokenizer has a single switch for whether a special token's name is
meant, and threads that turn it for each other let a question write special tokens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from transformers import AutoTokenizer

from pixel_core.errors import DataError, StageFailed
from pixel_core.models.vllm_inputs import largest_area
from pixel_core.records import Query
from pixel_core.rollout.episode import Episode, advance, begin
from pixel_core.rollout.queries import QueryReader
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.turns import TurnReader
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.training.openrlhf.played import Played
from pixel_core.training.openrlhf.scoring import evaluated, scored
from pixel_core.training.openrlhf.settings import AgentSettings
from pixel_core.training.openrlhf.turns import EngineActor, completion_of, request, turn_params

T = TypeVar("T")


class _Group:
    """The rollouts of one prompt."""

    def __init__(self, params: Any, query: Query, size: int, prompts: Renderer) -> None:
        #: Held, so that its id stays its own.
        self.params = params
        self.query = query
        self.size = size
        self.reader = TurnReader(prompts)
        self.joined = 0
        self.finished = 0
        self.episodes: asyncio.Task[list[Episode]] | None = None
        self.played: dict[int, Played] = {}
        self.responses: list[dict[str, Any]] = []
        self.done = asyncio.Event()
        self.failure: BaseException | None = None
        self._thread = asyncio.Lock()

    async def compute(
        self, function: Callable[..., T], *arguments: Any, threads: Executor | None = None
    ) -> T:
        """In one of ``threads``, or of the loop's own: visuals, operations cache and reader are
        shared by the rollouts, so only one computes at a time."""
        async with self._thread:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(threads, function, *arguments)


class Rollouts:
    """Of one actor. Raises ``ConfigError`` for settings that cannot be read."""

    def __init__(self, folder: Path) -> None:
        self.settings = AgentSettings.read(folder)
        tokenizer = AutoTokenizer.from_pretrained(self.settings.model)
        self.vocabulary = Vocabulary.of(tokenizer, rows=self.settings.rows)
        self.prompts = Renderer(self.settings.dialogue, self.vocabulary)
        self._questions = QueryReader(Path(self.settings.pictures), self.prompts)
        self._largest = largest_area(self.settings.dialogue)
        self._groups: dict[int, _Group] = {}
        self._words = ThreadPoolExecutor(1, "tokenizer")

    async def play(self, label: str, params: Any, sampler: EngineActor) -> dict[str, Any]:
        """One rollout of the query in ``label``; OpenRLHF's response without its echoes.

        A temperature of 0 is evaluation (training never samples so): a group of its own.
        Raises ``StageFailed`` if the group has another size than it was configured for, or if
        another rollout of it failed.
        """
        evaluating = params.temperature == 0
        group = self._group(label, params, 1 if evaluating else self.settings.group)
        place = group.joined
        group.joined += 1
        try:
            await self._episode(group, place, sampler)
            group.finished += 1
            if group.finished == group.joined:
                self._close(group)
                await group.compute(self._score, group, evaluating)
                group.done.set()
        except BaseException as error:
            # The others would wait for ever; OpenRLHF ends at the first error it is told.
            self._close(group)
            group.failure = group.failure or error
            group.done.set()
            raise
        await group.done.wait()
        if group.failure is not None:
            raise StageFailed(f"another rollout of {group.query.id} failed: {group.failure}")
        return group.responses[place]

    def _group(self, label: str, params: Any, size: int) -> _Group:
        group = self._groups.get(id(params))
        if group is None:
            try:
                query = Query.model_validate_json(label)
            except ValidationError as error:
                raise DataError(
                    f"a label of the prompt dataset is no query of ours: {error}"
                ) from error
            group = self._groups[id(params)] = _Group(params, query, size, self.prompts)
        return group

    def _close(self, group: _Group) -> None:
        if self._groups.get(id(group.params)) is group:
            del self._groups[id(group.params)]

    async def _episode(self, group: _Group, place: int, sampler: EngineActor) -> None:
        if group.episodes is None:
            group.episodes = asyncio.create_task(self._begin(group))
        # Shielded: one rollout that is cancelled must not take the others' pictures away.
        episodes = await asyncio.shield(group.episodes)
        if place >= len(episodes):
            raise StageFailed(_wrong_size(group))
        played = group.played[place] = Played(episodes[place])
        episode, limit = played.episode, self.settings.dialogue.max_new_tokens
        while episode.stop is None:
            tokens, pictures = await group.compute(
                request, episode.transcript, self.vocabulary.image, self._largest
            )
            params = turn_params(group.params, self.vocabulary, limit)
            output = await sampler.generate(tokens, params, multi_modal_data=pictures)
            completion = completion_of(output, self.vocabulary, limit)
            played.note(completion)
            await group.compute(
                advance,
                episode,
                completion,
                self.prompts,
                group.reader,
                threads=self._words,
            )

    async def _begin(self, group: _Group) -> list[Episode]:
        opening = await group.compute(self._questions.open, group.query)
        return await group.compute(
            begin, opening, group.size, self.prompts, threads=self._words
        )

    def _score(self, group: _Group, evaluating: bool) -> None:
        if group.joined != group.size:
            raise StageFailed(_wrong_size(group))
        played = [group.played[place] for place in range(group.size)]
        episodes = [rollout.episode for rollout in played]
        if evaluating:
            uniform, results = False, [evaluated(episodes[0])]
        else:
            uniform, results = scored(episodes, self.settings.reward, self.settings.advantage)
        logprobs = group.params.logprobs is not None
        group.responses = [
            rollout.response(uniform, logprobs) | result
            for rollout, result in zip(played, results, strict=True)
        ]


def _wrong_size(group: _Group) -> str:
    return (
        f"OpenRLHF started {group.joined} or more rollouts of {group.query.id} together, and "
        f"the reward needs the whole group of {group.size}: its n_samples_per_prompt is not "
        "rl.group, or it shares its sampling parameters in another way than version 0.11.2"
    )
