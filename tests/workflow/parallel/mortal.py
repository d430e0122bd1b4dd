"""An actor of the real stage that is killed once; importable by it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

from pixel_core.config import AnswersConfig, DialogueConfig
from pixel_core.evaluation.answers import Chunk, ChunkAnswers, HeldOutAnswerer
from pixel_core.workflow.stage import StoredInput


def mortal(
    config: AnswersConfig, dialogue: DialogueConfig, ingest: StoredInput, model: StoredInput
) -> Callable[[Chunk], ChunkAnswers]:
    """The stage's own answerer, killed the first time it is at work on one of its chunks."""
    answerer = HeldOutAnswerer(config, dialogue, ingest, model)
    killed = ingest.local().parent / "killed"

    def work(chunk: Chunk) -> ChunkAnswers:
        if chunk.name == "greedy-00001" and not killed.exists():
            killed.write_text(str(os.getpid()))
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGKILL)).start()
            while True:
                answerer(chunk)
        return answerer(chunk)

    return work
