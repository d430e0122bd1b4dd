"""Groups of rollouts that can occur, for the property tests of the rewards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from pixel_core.config import RewardConfig
from pixel_core.rewards.duals import Duals
from pixel_core.rewards.shaping import ShapedRewards, shape

PRESETS = ("paper", "upstream_code", "none", "lagrangian")


#: The prices of a group whose test is not about them.
PRICES = Duals(rapr=0.1, operations=0.05)


@dataclass(frozen=True)
class Group:
    """One query's rollouts, a tuple each: right, calls executed, calls failed, last failed."""

    rollouts: tuple[tuple[bool, int, int, bool], ...]
    video: bool = False
    duals: Duals = PRICES

    def __getitem__(self, order: list[int]) -> Group:
        return Group(tuple(self.rollouts[place] for place in order), self.video, self.duals)

    def __len__(self) -> int:
        return len(self.rollouts)

    def column(self, place: int) -> np.ndarray:
        return np.array([rollout[place] for rollout in self.rollouts])

    @property
    def attempts(self) -> np.ndarray:
        return self.column(1) + self.column(2)

    def shaped(self, config: RewardConfig) -> ShapedRewards:
        return shape(
            self.column(0),
            self.column(1) > 0,
            self.attempts,
            config,
            last_failed_g=self.column(3),
            video=self.video,
            duals=self.duals,
        )


@st.composite
def _rollouts(draw: st.DrawFn) -> tuple[bool, int, int, bool]:
    executed, failed = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    last = failed > 0 and (executed == 0 or draw(st.booleans()))
    return draw(st.booleans()), executed, failed, last


def duals() -> st.SearchStrategy[Duals]:
    return st.builds(Duals, rapr=st.floats(0, 1), operations=st.floats(0, 1))


def groups() -> st.SearchStrategy[Group]:
    rollouts = st.lists(_rollouts(), min_size=1, max_size=12).map(tuple)
    return st.builds(Group, rollouts, st.booleans(), duals())


def configs(*presets: str) -> st.SearchStrategy[RewardConfig]:
    return st.builds(
        RewardConfig,
        preset=st.sampled_from(presets or PRESETS),
        alpha=st.floats(0, 2),
        beta=st.floats(0, 1),
        rapr_target=st.floats(0, 1),
        free_operations=st.integers(0, 3),
    )
