"""One chunk of ``text_only``: its questions, each asked until an answer is kept, and how what
became of them is written down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from pixel_core.config import DialogueConfig, TextOnlyConfig
from pixel_core.models.session import AnsweringSession
from pixel_core.records import Record, StopReason, Trajectory, TrajectoryKind, Turn
from pixel_core.rollout.episode import Episode, RenderedPrompt
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.replay import replay
from pixel_core.training.batching import DrawnOrder
from pixel_core.workflow.stage import StoredInput

# Which sampled answers may become text-only trajectories.
#
# An answer is kept when it is right, was given in one finished turn without any operation,
# and is spelt in text with exactly the tokens that were sampled: a trajectory holds texts,
# training encodes them, and what is trained has to be what the model said.


class RejectionReason(StrEnum):
    """Why an answer is not kept; the first that holds. Each is counted in the metrics."""

    USED_OPERATION = "used_operation"  #: an operation was made, or tried
    UNFINISHED = "unfinished"  #: cut by a limit, or ended without a boxed answer
    WRONG = "wrong"
    RESPELT = "respelt"  #: encoding its text gives other tokens than were sampled


def accept(
    episode: Episode, opening: RenderedPrompt, prompts: Renderer
) -> Trajectory | RejectionReason:
    """The answer as a trajectory, or why it can't be one. ``opening``: what it answers."""
    if episode.attempts:
        return RejectionReason.USED_OPERATION
    if episode.stop is not StopReason.ANSWERED:
        return RejectionReason.UNFINISHED
    if not episode.correct:
        return RejectionReason.WRONG
    trajectory = Trajectory(
        id=f"{episode.query.id}:{TrajectoryKind.TEXT_ONLY}",
        seed_id=episode.query.id,
        kind=TrajectoryKind.TEXT_ONLY,
        turns=tuple(Turn(text=step.text) for step in episode.steps),
    )
    # Training builds its tokens by this same replay.
    if replay(trajectory, opening, prompts).tokens != episode.transcript.tokens:
        return RejectionReason.RESPELT
    return trajectory


class SampledQuestion(Record):
    """What became of one question."""

    answers: Annotated[int, Field(gt=0)]
    right: Annotated[int, Field(ge=0)]
    faults: dict[RejectionReason, int]
    trajectory: Trajectory | None = None


class ChunkSampler:
    """Asks chunks by their numbers, in whatever process it is opened."""

    def __init__(
        self,
        config: TextOnlyConfig,
        dialogue: DialogueConfig,
        ingest: StoredInput,
        base_model: StoredInput,
        order: DrawnOrder,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._config = config
        self._order = order
        engine = config.engine
        self._session = AnsweringSession(base_model, ingest, dialogue, engine, "text_only", say)

    def __call__(self, number: int) -> tuple[list[SampledQuestion], dict[str, int]]:
        """What became of the chunk's questions, and what an endpoint was asked for them."""
        asked = _ask(self._session, self._config, self._order, number)
        return asked, dict(self._session.take_usage())

    def close(self) -> None:
        self._session.close()


def _ask(
    session: AnsweringSession, config: TextOnlyConfig, order: DrawnOrder, number: int
) -> list[SampledQuestion]:
    """A chunk's questions, each answered until an answer is kept or it is given up."""
    queries = order.queries(number * config.chunk, (number + 1) * config.chunk)
    session.begin("text_only", config.seed, number)
    openings = session.open(queries)
    answers = [0] * len(openings)
    right = [0] * len(openings)
    faults: list[Counter[RejectionReason]] = [Counter() for _ in openings]
    found: dict[int, Trajectory] = {}
    for _ in range(config.samples):
        open_places = [place for place in range(len(openings)) if place not in found]
        if not open_places:
            break
        episodes = session.answer(
            [openings[place] for place in open_places], 1, config.sampling
        )
        for place, episode in zip(open_places, episodes, strict=True):
            answers[place] += 1
            right[place] += episode.correct
            verdict = accept(episode, openings[place], session.prompts)
            if isinstance(verdict, RejectionReason):
                faults[place][verdict] += 1
            else:
                found[place] = verdict
    return [
        SampledQuestion(
            answers=answers[place],
            right=right[place],
            faults=dict(sorted(faults[place].items())),
            trajectory=found.get(place),
        )
        for place in range(len(openings))
    ]


def chunk_count(order: DrawnOrder, config: TextOnlyConfig) -> int:
    return -(-len(order) // config.chunk)


def chunk_name(number: int) -> str:
    return f"asked-{number:06d}"


def dump(asked: list[SampledQuestion]) -> bytes:
    return "".join(one.model_dump_json() + "\n" for one in asked).encode()


def load(data: bytes) -> list[SampledQuestion]:
    # Lines end in \n alone; a text may hold other characters that end lines.
    return [SampledQuestion.model_validate_json(line) for line in data.split(b"\n") if line]
