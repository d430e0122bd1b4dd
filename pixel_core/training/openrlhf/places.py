"""Where a run's files lie: a folder that every node reaches, named in its workspace.

agent.py agent.json     the agent and what it must agree on
pictures.zip            the questions' pictures
train.jsonl eval.jsonl  the prompts
start/                  the model to start from, with a processor's settings
checkpoints/            OpenRLHF's own, to go on from
final/                  the model it saved at the end
log.txt                 all it said, over all its starts
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pixel_core.errors import ConfigError
from pixel_core.workflow.stage import Workspace

#: In the workspace, so that the folder belongs to the stage's key and generation.
_NAME = "openrlhf/folder"
_ROOT = "pixel-openrlhf"
_TRAINED, _COLLECTED = "trained", "collected"


@dataclass(frozen=True)
class RunFolder:
    root: Path

    @classmethod
    def of(cls, scratch: str, work: Workspace) -> RunFolder:
        """This computation's folder, the same after a kill. ``ConfigError`` if it can't be
        made."""
        base = Path(scratch) if scratch else Path(tempfile.gettempdir())
        name = (work.get(_NAME) or b"").decode()
        if not name:
            name = uuid4().hex
            work.put(_NAME, name.encode())
        folder = cls(base.absolute() / _ROOT / name)
        try:
            folder.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"rl.openrlhf.scratch {str(base)!r} cannot be written: {error}"
            ) from error
        return folder

    @property
    def agent(self) -> Path:
        return self.root / "agent.py"

    @property
    def pictures(self) -> Path:
        return self.root / "pictures.zip"

    @property
    def train(self) -> Path:
        return self.root / "train.jsonl"

    @property
    def evaluation(self) -> Path:
        return self.root / "eval.jsonl"

    @property
    def start(self) -> Path:
        return self.root / "start"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def final(self) -> Path:
        return self.root / "final"

    @property
    def log(self) -> Path:
        return self.root / "log.txt"

    def is_trained(self) -> bool:
        """Whether OpenRLHF came to its end: only its model is still to be brought back."""
        return (self.root / _TRAINED).exists()

    def mark_trained(self) -> None:
        (self.root / _TRAINED).touch()

    def mark_collected(self) -> None:
        """Everything was taken over. The model stays, in case it cannot be committed; the
        next run below the same scratch folder removes it."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        (self.root / _COLLECTED).touch()

    def sweep(self) -> None:
        """Remove what other runs have left behind after they were collected."""
        for other in self.root.parent.iterdir():
            if other != self.root and (other / _COLLECTED).exists():
                shutil.rmtree(other, ignore_errors=True)

    def drop_broken_checkpoints(self) -> bool:
        """Remove checkpoints that OpenRLHF would fail on; True if there is one to go on from.

        A kill during its first save leaves a folder without ``latest``, which it takes for a
        checkpoint. ``latest`` is written last, when what it names is whole.
        """
        states = self.checkpoints / "_actor"
        latest = states / "latest"
        try:
            named = latest.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            named = ""
        if named and (states / named).is_dir():
            return True
        if states.exists():
            shutil.rmtree(states)
        return False
