"""The questions, the policy and the settings of a comparison with TRL, from a store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import AutoTokenizer

from bench.trl.job import Job, Placing
from pixel_core.config import DialogueConfig, OptimizerConfig, RlConfig
from pixel_core.models.loading import FOLDER
from pixel_core.records import Annotation, Query, Split, read_jsonl
from pixel_core.rollout.queries import QueryReader
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.transcript import Transcript
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.training.batching import Order
from pixel_core.workflow.store import Artifact, Store

#: The paper's learning rate. It hardly moves a tiny model, so both programs roll out the same
#: policy in every step; the cost of a step does not depend on it.
_RATE = 1e-6


@dataclass(frozen=True)
class Material:
    """A policy with the data it was trained on; ``annotations`` of the train split."""

    policy: Path
    ingest: Path
    dialogue: DialogueConfig
    vocabulary: Vocabulary
    annotations: tuple[Annotation, ...]

    @classmethod
    def of(cls, store: Store, stage: str) -> Material:
        """The stage's latest policy in the store, with the inputs of the stage ``rl``."""
        trained = store.latest("rl")
        if trained is None:
            raise SystemExit(f"{store.uri} holds no artifact of stage rl")
        policy = trained if stage == "rl" else _input(store, trained, stage)
        folder = policy.local()
        dialogue = DialogueConfig.model_validate(trained.manifest.parts["config"]["dialogue"])
        if dialogue.prompt != "compact" or dialogue.zoom.name != "zoom_in":
            raise SystemExit(
                f"{store.uri} holds a policy with another dialogue than the tiny profile's: "
                "the peer is written for that one"
            )
        notes = _input(store, trained, "annotate").local() / "annotations.jsonl"
        train = [a for a in read_jsonl(notes, Annotation) if a.seed.split is Split.TRAIN]
        return cls(
            policy=folder,
            ingest=_input(store, trained, "ingest").local(),
            dialogue=dialogue,
            vocabulary=Vocabulary.of(AutoTokenizer.from_pretrained(folder / FOLDER)),
            annotations=tuple(train),
        )

    def job(self, queries: int, group: int, steps: int, turn: int, placing: Placing) -> Job:
        """A run of ``steps`` over separate questions for each turn, none of them twice.

        The peer takes them in the same order as our stage, so that a step has the same
        questions in both programs.
        """
        rl = RlConfig(
            steps=steps,
            queries=queries,
            group=group,
            advantage="mean_std",
            optimizer=OptimizerConfig(learning_rate=_RATE),
            seed=turn,
        )
        taken = self.annotations_of(turn, queries * steps)
        order = Order(len(taken), queries, f"rl/{rl.seed}")
        places = [place for step in range(steps) for place in order.at(step)]
        ordered = [Query.from_seed(taken[place].seed) for place in places]
        prompt, returned = self._written(ordered[0])
        return Job(
            policy=str(self.policy),
            ingest=str(self.ingest),
            rl=rl,
            dialogue=self.dialogue,
            queries=tuple(ordered),
            banned=self.vocabulary.banned,
            prompt=prompt,
            returned=returned,
            placing=placing,
        )

    def annotations_of(self, turn: int, count: int) -> tuple[Annotation, ...]:
        start = turn * count
        if start + count > len(self.annotations):
            raise SystemExit(
                f"turn {turn + 1} of {count} questions each needs {start + count}, the store "
                f"has {len(self.annotations)} to train on: take fewer turns or steps"
            )
        return self.annotations[start : start + count]

    def _written(self, query: Query) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Our tokens of the query's prompt, and of a return that shows its picture again."""
        prompts = Renderer(self.dialogue, self.vocabulary)
        opening = QueryReader(self.ingest, prompts).open(query)
        returned = Transcript()
        prompts.crop(returned, opening.visuals[0], index=2)
        opened = prompts.open(query, opening.visuals)
        return tuple(opened.tokens), tuple(returned.tokens)


def _input(store: Store, artifact: Artifact, stage: str) -> Artifact:
    """The artifact of ``stage`` that this one depends on."""
    found = store.load(stage, artifact.manifest.inputs[stage].key)
    if found is None:
        raise SystemExit(f"{store.uri} lacks the {stage} its policy was made from")
    return found
