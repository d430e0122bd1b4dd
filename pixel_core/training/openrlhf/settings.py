"""What every vLLM actor of OpenRLHF must agree on, in one file beside the agent's own.

Written once by the stage. Nothing of it comes from a shell's environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError

from pixel_core.config import AdvantageKind, DialogueConfig, RewardConfig
from pixel_core.config.section import Positive, Section
from pixel_core.errors import ConfigError

FILE = "agent.json"


class AgentSettings(Section):
    dialogue: DialogueConfig
    reward: RewardConfig
    advantage: AdvantageKind
    #: Rollouts of one query.
    group: Annotated[int, Field(ge=2)]
    #: The folder of the model, of which the tokenizer is read.
    model: str
    #: Rows of its head.
    rows: Positive
    #: The folder that holds ``pictures.zip``.
    pictures: str

    def write(self, folder: Path) -> None:
        (folder / FILE).write_text(self.model_dump_json(indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises ``ConfigError`` where the file is missing or not what this code writes."""
        path = folder / FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be read on this node ({error}): set rl.openrlhf.scratch to a "
                "folder that all nodes share"
            ) from error
        except ValidationError as error:
            raise ConfigError(
                f"{path} is of other code than this node runs; all must run the same: {error}"
            ) from error
